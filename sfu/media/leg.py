"""One stream to a viewer: its numbers, its repairs, its reports.

A leg follows one source at a time. It waits, or is shown what the source's history holds
from a key frame on (a replay, whose `cursor` is the next number), or is live. While it is
live, all it needs are two shifts; what it has sent so far is read off the source. In: the
source's packets, the viewer's NACKs. Out: packets in the viewer's outbox. Must not know
rooms, slots or who publishes.
"""

from collections import deque
from collections.abc import Iterable
from typing import Protocol, final

from sfu.media.history import History, Stored
from sfu.media.meter import Meter
from sfu.media.model import Codec, LegBatch, LegSpec, Packet, SessionId
from sfu.media.passage import Passage
from sfu.media.repair import NUMBERS_PER_NACK_MAX, Answers
from sfu.media.shape import Shape
from sfu.media.stats import LegStats
from sfu.packet.rewrite import (
    TIMESTAMP_MASK,
    Splice,
    begin,
    follow,
    pack_numbers,
    squeeze,
    unwrap,
)
from sfu.packet.rtcp import ReportBlock, SenderReport

PASSAGES_MAX = 8
"""Passages whose packets a leg can still repair, at most two a source; older ones are refused."""
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
    codec: Codec | None
    rid: str | None

    def detach(self, leg: "Leg") -> None:
        """Let a leg go."""

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
        "_repairs_from",
        "_rtx_sequence",
        "active",
        "cursor",
        "first",
        "keyframes_wanted",
        "meter",
        "nacked",
        "numbers",
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
        self.cursor: int | None = None
        self.first = self.sequence_shift = self.timestamp_shift = 0
        self.numbers = b""
        """SSRC and shifts in the form in which they are handed out."""
        # Numbers below it are not repaired any more: a key frame has made up for them.
        self._repairs_from = 0
        self.repairs = self.refused = self.unmatched = 0
        self.nacked = self.keyframes_wanted = 0
        self.meter = Meter()
        self._packets_before = self._bytes_before = 0
        # Where the stream begins is the SSRC's chance: control drew it at random.
        self._last_sequence = (spec.ssrc & FIRST_SEQUENCE_MASK) - 1
        self._last_timestamp = (spec.ssrc * 2654435761) & 0xFFFFFFFF
        self._last_at: float | None = None
        self._rtx_sequence = (spec.rtx_ssrc or 0) & FIRST_SEQUENCE_MASK
        self._passages: deque[Passage] = deque(maxlen=PASSAGES_MAX)
        self._answers = Answers()
        self._fraction_lost = self._lost = self._jitter = 0

    @property
    def newest(self) -> int:
        """The highest number sent, unwrapped."""
        if self.cursor is not None:
            return self.cursor - 1 + self.sequence_shift
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
        self._begin(Passage(splice, source.history, shape, lead))
        self._go_live(source)

    def start_replay(self, stored: Stored, shape: Shape, lead: tuple[Stored, ...]) -> None:
        """Begin or go on with a packet of the past, in fast motion up to the newest one.

        Media time comes to lie where it would had the leg joined on live: the newest packet
        is as much later than what was sent before as has really passed.
        """
        source = self.source
        assert source is not None, self.spec.mid
        assert not self.active, self.spec.mid
        elapsed = 0
        if self._last_at is not None:
            elapsed = round((source.newest_arrived - self._last_at) * source.clock_rate)
        # One tick of it is between the last packet sent and the first to come.
        room = elapsed - 1 if self._last_at is not None else TIMESTAMP_MASK
        motion = squeeze(
            source_timestamp=stored.timestamp, anchor=source.newest_timestamp, room=room
        )
        behind = source.newest_timestamp - motion.timestamp(stored.timestamp)
        splice = begin(
            source=stored.sequence,
            source_timestamp=source.newest_timestamp,
            sequence=self._last_sequence + 1 + len(lead),
            timestamp=self._last_timestamp + max(elapsed, behind + 1),
        )
        live = source.highest + 1
        self._begin(Passage(splice, source.history, shape, lead, motion, live))
        self.cursor = self._passages[-1].first

    def finish_replay(self) -> None:
        """Be live from the source's next packet on."""
        source = self.source
        assert source is not None, self.spec.mid
        assert self.cursor is not None, self.spec.mid
        assert self.cursor > source.highest, (self.cursor, source.highest)
        self._go_live(source)

    def reshape(self, shape: Shape) -> None:
        """Look different from the source's next packet on."""
        source = self.source
        assert source is not None, self.spec.mid
        splice = Splice(source.highest + 1, self.sequence_shift, self.timestamp_shift)
        self._passages.append(Passage(splice, source.history, shape))

    def repairs_apart(self, passage: Passage) -> bool:
        """Say whether repairs go by a stream of their own.

        If not, a packet may be sent again only as the very same bytes, and so has to bear the
        send time that is kept.
        """
        return self.spec.rtx_ssrc is not None and passage.shape.payload_type in self.spec.rtx

    def passage(self, source: int) -> Passage | None:
        """Return the passage of the followed source that a number belongs to, while kept."""
        for passage in reversed(self._passages):
            if source >= passage.first:
                return passage
            if passage.splice.first == self.first:
                break
        return None

    def halt(self) -> None:
        """Send nothing more until the next start; remember where the stream stands."""
        source = self.source
        if source is None or not (self.active or self.cursor is not None):
            return
        self._packets_before, self._bytes_before = self.packets, self.payload_bytes
        self._last_sequence = self.newest
        self._last_timestamp = (source.newest_timestamp + self.timestamp_shift) & 0xFFFFFFFF
        self._last_at = source.newest_arrived
        self.active = False
        self.cursor = None

    def let_go(self) -> None:
        """Repair nothing of what was sent so far; called between halt and start."""
        self._repairs_from = self._last_sequence + 1

    def skipped(self, size: int) -> None:
        """Note a packet that the source forwarded and this leg did not get."""
        self._packets_before -= 1
        self._bytes_before -= size

    def replayed(self, size: int, packets: int = 1) -> None:
        """Note packets that this leg got after the source had forwarded them."""
        self._packets_before += packets
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
            origin = self._find(sequence) if sequence >= self._repairs_from else None
            if origin is None or not self._answers.allow(
                sequence, newest=newest, round_trip_s=round_trip_s, now=now
            ):
                self.refused += 1
                continue
            found.append(self._resend(*origin, sent))
        self.repairs += len(found)
        return found

    def _begin(self, passage: Passage) -> None:
        self.first, self.sequence_shift, self.timestamp_shift = passage.splice
        self.numbers = pack_numbers(
            ssrc=self.ssrc,
            sequence_shift=self.sequence_shift,
            timestamp_shift=self.timestamp_shift,
        )
        self._passages.append(passage)
        self.outbox.begun = True

    def _go_live(self, source: Source) -> None:
        self.cursor = None
        self.active = True
        self._packets_before -= source.forwarded
        self._bytes_before -= source.forwarded_bytes

    def _find(self, sequence: int) -> tuple[Passage, Stored] | None:
        for passage in reversed(self._passages):
            source = sequence - passage.splice.sequence_shift
            if source >= passage.first:
                stored = passage.find(source)
                return None if stored is None else (passage, stored)
        return None

    def _resend(self, passage: Passage, stored: Stored, sent: bytes) -> Packet:
        payload_type = self.spec.rtx.get(passage.shape.payload_type)
        if payload_type is None or self.spec.rtx_ssrc is None:
            return passage.write(stored, ssrc=self.ssrc, stamp=stored.send_time)
        self._rtx_sequence += 1
        return passage.write_repair(
            stored,
            payload_type=payload_type,
            sequence=self._rtx_sequence,
            ssrc=self.spec.rtx_ssrc,
            stamp=sent,
        )

    def sender_report(self, *, at_ntp: int, now: float) -> SenderReport | None:
        """Return what to tell the viewer about this stream; None while nothing flows."""
        if self.source is None or not (self.active or self.cursor is not None):
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
        source = self.source
        rate = source.clock_rate if source is not None else 0
        codec = source.codec if source is not None else None
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
            codec=None if codec is None else codec.name,
            layer=None if source is None else source.rid,
            bitrate_bps=self.meter.bps,
            nacks=self.nacked,
            keyframes_wanted=self.keyframes_wanted,
        )
