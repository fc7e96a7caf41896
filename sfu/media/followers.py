"""The legs that follow one track, and the loop that gives each its copy of a packet.

In: stored packets. Out: packets in outboxes. A leg waits here until a packet with which a
decoder can start, then sits in the group of its shape. This loop is the hot one: per packet
and leg one header and one append, nothing else.
"""

from collections.abc import Mapping
from typing import final

from sfu.media.history import Stored
from sfu.media.leg import Leg, Outbox, Source
from sfu.media.model import Codec, Packet
from sfu.media.shape import Shape, ShapeKey, shape_key
from sfu.packet import rtp


@final
class _Group:
    """Legs of one shape."""

    __slots__ = ("legs", "shape")

    def __init__(self, key: ShapeKey) -> None:
        self.shape = Shape(key)
        self.legs: list[Leg] = []


@final
class Followers:
    """Waiting, unmatched and active legs of one source."""

    __slots__ = ("_groups", "_source", "_unmatched", "waiting")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._groups: dict[ShapeKey, _Group] = {}
        self._unmatched: dict[Leg, None] = {}
        self.waiting: dict[Leg, None] = {}

    def add(self, leg: Leg) -> None:
        """Let a leg wait for its first packet."""
        assert leg.source is None, leg.spec.mid
        leg.source = self._source
        self.waiting[leg] = None

    def remove(self, leg: Leg) -> None:
        """Let a leg go; it remembers where its stream stands."""
        leg.halt()
        leg.source = None
        self.waiting.pop(leg, None)
        self._unmatched.pop(leg, None)
        for key, group in self._groups.items():
            if leg in group.legs:
                group.legs.remove(leg)
                if not group.legs:
                    del self._groups[key]
                return

    def all(self) -> list[Leg]:
        """Return every leg, whatever its state."""
        active = [leg for group in self._groups.values() for leg in group.legs]
        return [*active, *self.waiting, *self._unmatched]

    def renew(self) -> None:
        """Make every leg wait again: numbers or codec of the source are about to change."""
        legs = self.all()
        for leg in legs:
            leg.halt()
        self._groups.clear()
        self._unmatched.clear()
        self.waiting = dict.fromkeys(legs)

    def start(
        self,
        stored: Stored,
        codec: Codec,
        offered: Mapping[str, int],
        *,
        lead: tuple[Stored, ...],
        touched: list[Outbox],
    ) -> list[Leg]:
        """Start all waiting legs at a packet; those that lack the codec get nothing, counted.

        The packets of `lead` are sent ahead: they bear the numbers just before.
        """
        started: list[Leg] = []
        for leg in self.waiting:
            key = shape_key(leg.spec, codec, offered)
            if key is None:
                leg.unmatched += 1
                self._unmatched[leg] = None
                continue
            group = self._groups.get(key)
            if group is None:
                group = self._groups[key] = _Group(key)
            leg.start(stored, group.shape, lead)
            for packet in lead:
                leg.replayed(len(packet.payload))
                self.give(leg, packet, group.shape, touched)
            group.legs.append(leg)
            started.append(leg)
        self.waiting.clear()
        return started

    def forward(self, stored: Stored, touched: list[Outbox]) -> None:
        """Give a packet that came in order to every active leg."""
        sequence, timestamp, payload = stored.sequence, stored.timestamp, stored.payload
        marker = rtp.MARKER if stored.marker else 0
        pack, packet = rtp.pack_header, Packet
        for group in self._groups.values():
            block = group.shape.block(stored, stored.send_time)
            first = rtp.FIRST_BYTE_EXTENDED if block else rtp.FIRST_BYTE
            second = group.shape.payload_type | marker
            for leg in group.legs:
                header = pack(
                    first,
                    second,
                    (sequence + leg.sequence_shift) & 0xFFFF,
                    (timestamp + leg.timestamp_shift) & 0xFFFFFFFF,
                    leg.ssrc,
                )
                queue = leg.rtp
                if not queue:
                    leg.outbox.arrived = stored.arrived
                    touched.append(leg.outbox)
                queue.append(packet(header + block, payload))

    def forward_late(self, stored: Stored, touched: list[Outbox]) -> None:
        """Give a packet that came late to the legs whose stream already covers its place."""
        for group in self._groups.values():
            for leg in group.legs:
                if stored.sequence < leg.first:
                    leg.skipped(len(stored.payload))
                else:
                    self.give(leg, stored, group.shape, touched)

    def replay(self, legs: list[Leg], stored: Stored, touched: list[Outbox]) -> None:
        """Give legs that started at a late packet all that follows it."""
        source = self._source
        for sequence in range(stored.sequence, source.highest + 1):
            kept = source.history.get(sequence)
            if kept is None or kept.payload_type != stored.payload_type:
                continue
            for group in self._groups.values():
                for leg in group.legs:
                    if leg in legs:
                        leg.replayed(len(kept.payload))
                        self.give(leg, kept, group.shape, touched)

    def give(self, leg: Leg, stored: Stored, shape: Shape, touched: list[Outbox]) -> None:
        """Give one packet to one leg."""
        block = shape.block(stored, stored.send_time)
        header = rtp.pack_header(
            rtp.FIRST_BYTE_EXTENDED if block else rtp.FIRST_BYTE,
            shape.payload_type | (rtp.MARKER if stored.marker else 0),
            (stored.sequence + leg.sequence_shift) & 0xFFFF,
            (stored.timestamp + leg.timestamp_shift) & 0xFFFFFFFF,
            leg.ssrc,
        )
        if not leg.rtp:
            leg.outbox.arrived = stored.arrived
            touched.append(leg.outbox)
        leg.rtp.append(Packet(header + block, stored.payload))
