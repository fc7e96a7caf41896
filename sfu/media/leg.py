"""One stream to a viewer: its numbers, its repairs, its reports.

A leg follows one source at a time. While it follows, all it needs are two shifts; what it
has sent so far is read off the source. In: the source's packets, the viewer's NACKs. Out:
packets in the viewer's outbox. Must not know rooms, slots or who publishes.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple, Protocol, final

from sfu.media.history import History, Stored
from sfu.media.model import LegBatch, LegSpec, Packet, SessionId
from sfu.media.repair import NUMBERS_PER_NACK_MAX, Answers
from sfu.media.shape import Shape
from sfu.media.stats import LegStats
from sfu.packet import rtp
from sfu.packet.rewrite import Splice, begin, follow, unwrap
from sfu.packet.rtcp import ReportBlock, SenderReport

PASSAGES_MAX = 4
"""Sources whose packets a leg can still repair; older ones are refused."""
FIRST_SEQUENCE_MASK = 0x7FFF
"""RFC 3711 section 3.3.1: starting in the lower half keeps the rollover counter certain."""


class Source(Protocol):
    """What a leg sees of the track it follows."""

    session: SessionId
    history: History
    highest: int
    newest_timestamp: int
    newest_arrived: float
    clock_rate: int
    forwarded: int
    forwarded_bytes: int

    def want_keyframe(self, *, now: float, round_trip_s: float) -> None:
        """Note that a viewer cannot decode; a key frame within its round trip is on its way."""

    def timestamp_at(self, *, at_ntp: int, now: float) -> int | None:
        """Return the source's timestamp for a moment; None when it has stalled."""


@final
class Outbox:
    """What one session is to be sent by the running call of the engine."""

    __slots__ = ("arrived", "begun", "rtcp", "rtp", "session")

    def __init__(self, session: SessionId) -> None:
        self.session = session
        self.rtp: list[Packet] = []
        self.rtcp: list[bytes] = []
        self.arrived: float | None = None
        self.begun = False
        """A leg began in this call: its first sender report goes along."""

    def take(self) -> LegBatch | None:
        """Return all that gathered; None when there is nothing (left)."""
        if not self.rtp and not self.rtcp:
            return None
        batch = LegBatch(self.session, tuple(self.rtp), tuple(self.rtcp), self.arrived)
        self.rtp.clear()
        self.rtcp.clear()
        self.arrived = None
        return batch


class _Passage(NamedTuple):
    """The part of a leg's stream that came from one source without a break."""

    splice: Splice
    history: History
    shape: Shape
    lead: tuple[Stored, ...]


@final
class Leg:
    """One m-line of a viewer."""

    __slots__ = (
        "_answers",
        "_bytes_before",
        "_fraction_lost",
        "_jitter",
        "_last_at",
        "_last_sequence",
        "_last_timestamp",
        "_lost",
        "_packets_before",
        "_passages",
        "_rtx_sequence",
        "active",
        "first",
        "outbox",
        "refused",
        "repairs",
        "rtp",
        "sequence_shift",
        "source",
        "spec",
        "ssrc",
        "timestamp_shift",
        "unmatched",
    )

    def __init__(self, spec: LegSpec, outbox: Outbox) -> None:
        self.spec = spec
        self.ssrc = spec.ssrc
        self.outbox = outbox
        self.rtp = outbox.rtp
        self.source: Source | None = None
        self.active = False
        self.first = self.sequence_shift = self.timestamp_shift = 0
        self.repairs = self.refused = self.unmatched = 0
        self._packets_before = self._bytes_before = 0
        # Where the stream begins is the SSRC's chance: control drew it at random.
        self._last_sequence = (spec.ssrc & FIRST_SEQUENCE_MASK) - 1
        self._last_timestamp = (spec.ssrc * 2654435761) & 0xFFFFFFFF
        self._last_at: float | None = None
        self._rtx_sequence = (spec.rtx_ssrc or 0) & FIRST_SEQUENCE_MASK
        self._passages: deque[_Passage] = deque(maxlen=PASSAGES_MAX)
        self._answers = Answers()
        self._fraction_lost = self._lost = self._jitter = 0

    @property
    def newest(self) -> int:
        """The highest number sent, unwrapped."""
        if self.active and self.source is not None:
            return self.source.highest + self.sequence_shift
        return self._last_sequence

    @property
    def packets(self) -> int:
        """Media packets sent, resends not counted."""
        now = self.source.forwarded if self.active and self.source is not None else 0
        return self._packets_before + now

    @property
    def payload_bytes(self) -> int:
        """Payload bytes of those packets."""
        now = self.source.forwarded_bytes if self.active and self.source is not None else 0
        return self._bytes_before + now

    def start(self, stored: Stored, shape: Shape, lead: tuple[Stored, ...] = ()) -> None:
        """Begin or go on with this packet of the source as the next one, or after `lead`.

        Packets of the lead bear the numbers just before it and are given by the caller.
        """
        source = self.source
        assert source is not None, self.spec.mid
        assert not self.active, self.spec.mid
        if self._last_at is None:
            splice = begin(
                source=stored.sequence,
                source_timestamp=stored.timestamp,
                sequence=self._last_sequence + 1 + len(lead),
                timestamp=self._last_timestamp,
            )
        else:
            splice = follow(
                source=stored.sequence,
                source_timestamp=stored.timestamp,
                last_sequence=self._last_sequence + len(lead),
                last_timestamp=self._last_timestamp,
                elapsed_s=stored.arrived - self._last_at,
                clock_rate=source.clock_rate,
            )
        self.first, self.sequence_shift, self.timestamp_shift = splice
        self.active = True
        self.outbox.begun = True
        self._packets_before -= source.forwarded
        self._bytes_before -= source.forwarded_bytes
        passage = _Passage(splice, source.history, shape, lead)
        self._passages.append(passage)

    def halt(self) -> None:
        """Send nothing more until the next start; remember where the stream stands."""
        source = self.source
        if not self.active or source is None:
            return
        self._packets_before, self._bytes_before = self.packets, self.payload_bytes
        self._last_sequence = source.highest + self.sequence_shift
        self._last_timestamp = (source.newest_timestamp + self.timestamp_shift) & 0xFFFFFFFF
        self._last_at = source.newest_arrived
        self.active = False

    def skipped(self, size: int) -> None:
        """Note a packet that the source forwarded and this leg did not get."""
        self._packets_before -= 1
        self._bytes_before -= size

    def replayed(self, size: int) -> None:
        """Note a packet that this leg got after the source had forwarded it."""
        self._packets_before += 1
        self._bytes_before += size

    def repair(
        self, lost: Iterable[int], *, round_trip_s: float, sent: bytes, now: float
    ) -> list[Packet]:
        """Answer a NACK; what is unknown, too old or asked too often is refused and counted."""
        found: list[Packet] = []
        looked_at = 0
        newest = self.newest
        for number in lost:
            looked_at += 1
            if looked_at > NUMBERS_PER_NACK_MAX:
                self.refused += 1
                continue
            sequence = unwrap(number, newest)
            origin = self._find(sequence)
            if origin is None or not self._answers.allow(
                sequence, newest=newest, round_trip_s=round_trip_s, now=now
            ):
                self.refused += 1
                continue
            found.append(self._resend(sequence, *origin, sent))
        self.repairs += len(found)
        return found

    def _find(self, sequence: int) -> tuple[_Passage, Stored] | None:
        for passage in reversed(self._passages):
            source = sequence - passage.splice.sequence_shift
            behind = passage.splice.first - source
            if behind > len(passage.lead):
                continue
            stored = passage.lead[-behind] if behind > 0 else passage.history.get(source)
            return None if stored is None else (passage, stored)
        return None

    def _resend(self, sequence: int, passage: _Passage, stored: Stored, sent: bytes) -> Packet:
        shape = passage.shape
        payload_type = self.spec.rtx.get(shape.payload_type)
        marker = rtp.MARKER if stored.marker else 0
        timestamp = passage.splice.timestamp(stored.timestamp)
        if payload_type is None or self.spec.rtx_ssrc is None:
            block = shape.block(stored, stored.send_time)
            first = rtp.FIRST_BYTE_EXTENDED if block else rtp.FIRST_BYTE
            header = rtp.pack_header(
                first, shape.payload_type | marker, sequence & 0xFFFF, timestamp, self.ssrc
            )
            return Packet(header + block, stored.payload)
        block = shape.block(stored, sent)
        first = rtp.FIRST_BYTE_EXTENDED if block else rtp.FIRST_BYTE
        self._rtx_sequence += 1
        header = rtp.pack_header(
            first,
            payload_type | marker,
            self._rtx_sequence & 0xFFFF,
            timestamp,
            self.spec.rtx_ssrc,
        )
        return Packet(header + block, rtp.write_rtx_payload(sequence, stored.payload))

    def sender_report(self, *, at_ntp: int, now: float) -> SenderReport | None:
        """Return what to tell the viewer about this stream; None while nothing flows."""
        if not self.active or self.source is None:
            return None
        timestamp = self.source.timestamp_at(at_ntp=at_ntp, now=now)
        if timestamp is None:
            return None
        shifted = (timestamp + self.timestamp_shift) & 0xFFFFFFFF
        return SenderReport(self.ssrc, at_ntp, shifted, self.packets, self.payload_bytes)

    def reported(self, block: ReportBlock) -> None:
        """Take the viewer's report."""
        self._fraction_lost, self._lost = block.fraction_lost, block.lost
        self._jitter = block.jitter

    def stats(self) -> LegStats:
        """Return the numbers."""
        rate = self.source.clock_rate if self.source is not None else 0
        return LegStats(
            mid=self.spec.mid,
            kind=self.spec.kind,
            slot=self.spec.slot,
            ssrc=self.ssrc,
            packets=self.packets,
            bytes=self.payload_bytes,
            repairs=self.repairs,
            unmatched=self.unmatched,
            lost=self._lost,
            fraction_lost=self._fraction_lost / 256,
            jitter_s=self._jitter / rate if rate else 0.0,
        )
