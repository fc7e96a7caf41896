"""The part of a leg's stream that came from one source in one shape, without a break.

In: a packet of the source. Out: the same as the viewer is, or was, sent it: number, media
time and extensions. Packets that are sent late or again look here, so that one number never
stands for two different packets. The loop over live legs does not: it needs only the shifts.
"""

from typing import NamedTuple

from sfu.media.history import History, Stored
from sfu.media.model import Packet
from sfu.media.shape import Shape
from sfu.packet import rtp
from sfu.packet.rewrite import Splice, Squeeze


class Passage(NamedTuple):
    """How the source's packets from `splice.first` on were sent.

    `lead` are packets made ahead of the first; before the source number `live` media time
    is squeezed.
    """

    splice: Splice
    history: History
    shape: Shape
    lead: tuple[Stored, ...] = ()
    squeeze: Squeeze | None = None
    live: int = 0

    @property
    def first(self) -> int:
        """The first source number of the passage, the lead included."""
        return self.splice.first - len(self.lead)

    def find(self, source: int) -> Stored | None:
        """Return the packet with a source number while it is kept."""
        behind = self.splice.first - source
        return self.lead[-behind] if behind > 0 else self.history.get(source)

    def timestamp(self, stored: Stored) -> int:
        """Return the viewer's timestamp of a packet."""
        source = stored.timestamp
        if self.squeeze is not None and stored.sequence < self.live:
            source = self.squeeze.timestamp(source)
        return self.splice.timestamp(source)

    def write(self, stored: Stored, *, ssrc: int, stamp: bytes) -> Packet:
        """Make the viewer's packet, stamped with an abs-send-time."""
        shape = self.shape
        block = shape.block(stored, stamp)
        header = rtp.pack_header(
            rtp.FIRST_BYTE_EXTENDED if block else rtp.FIRST_BYTE,
            shape.payload_type | rtp.MARKER if stored.marker else shape.payload_type,
            self.splice.sequence(stored.sequence) & 0xFFFF,
            self.timestamp(stored),
            ssrc,
        )
        return Packet(header + block, stored.payload)

    def write_repair(
        self, stored: Stored, *, payload_type: int, sequence: int, ssrc: int, stamp: bytes
    ) -> Packet:
        """Make a retransmission (RFC 4588) with a number of its own."""
        block = self.shape.block(stored, stamp)
        header = rtp.pack_header(
            rtp.FIRST_BYTE_EXTENDED if block else rtp.FIRST_BYTE,
            payload_type | (rtp.MARKER if stored.marker else 0),
            sequence & 0xFFFF,
            self.timestamp(stored),
            ssrc,
        )
        number = self.splice.sequence(stored.sequence)
        return Packet(header + block, rtp.write_rtx_payload(number, stored.payload))
