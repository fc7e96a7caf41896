"""One viewing session: its legs and what it reports about them.

In: its RTCP. Out: repairs and sender reports in its outbox, and the tracks of which it
needs a key frame. Must not know which slot shows whom.
"""

import math
from collections.abc import Sequence
from typing import final

from sfu.media.downlink import Downlink
from sfu.media.leg import Leg, Outbox, Source
from sfu.media.model import Kind, LegSpec, RoomId, SessionId
from sfu.media.publisher import CNAME
from sfu.media.repair import HOLD_OFF_MIN_S
from sfu.media.reports import round_trip_s
from sfu.media.stats import SessionStats
from sfu.packet import rtcp

REPORT_INTERVAL_S = 2.0
REPORT_GRID_S = 0.1
"""Reports fall on multiples of this: what many viewers are due is done in one go."""
KEYFRAME_FLIGHT_S = 0.1
"""A key frame this young may still be on its way to a viewer whose round trip is not known."""

LEAST_FOLLOWS = 16
"""By this part of the difference the least round trip follows longer ones."""


@final
class Viewer:
    """A session that watches."""

    def __init__(self, session: SessionId, room: RoomId, specs: Sequence[LegSpec]) -> None:
        self.session = session
        self.room = room
        self.connected = self.suspended = False
        self.outbox = Outbox(session)
        self.legs = tuple(Leg(spec, self.outbox) for spec in specs)
        self.round_trip_s: float | None = None
        self._least_round_trip_s: float | None = None
        self.downlink = Downlink()
        self.starved: set[Leg] = set()
        """Videos that are not sent because they would drown the sound."""
        self.has_news = False
        """Its path may look different since this was last set to false."""
        self._report_at: float | None = None
        self._by_ssrc = {leg.ssrc: leg for leg in self.legs}

    @property
    def receiving(self) -> bool:
        """Whether anything may be sent to it."""
        return self.connected and not self.suspended

    def connect(self, *, now: float) -> None:
        """Let media flow."""
        self.connected = True
        self._report_at = _next_report(now)

    def feedback(
        self,
        compound: rtcp.Compound,
        *,
        now: float,
        at_ntp: int,
        sent: bytes,
        touched: list[Outbox],
    ) -> list[Source]:
        """Take the viewer's RTCP; return the sources it needs key frames of."""
        wanted: list[Source] = []
        for part in compound.parts:
            match part:
                case rtcp.ReceiverReport() | rtcp.SenderReport():
                    self._take_blocks(part.blocks, at_ntp)
                case rtcp.Nack():
                    self._repair(part, now, sent, touched)
                case rtcp.PictureLoss():
                    self._want(part.media, wanted)
                case rtcp.FullIntraRequest():
                    for ssrc, _ in part.targets:
                        self._want(ssrc, wanted)
                case rtcp.Remb():
                    self.downlink.estimated(part.bitrate_bps, now=now)
                    self.has_news = True
                case _:
                    pass
        return wanted

    def report(self, *, now: float, at_ntp: int, touched: list[Outbox]) -> None:
        """Write sender reports when they are due, and at once when a leg has just begun."""
        if not self.receiving or self._report_at is None:
            return
        if now < self._report_at and not self.outbox.begun:
            return
        self.outbox.begun = False
        self._report_at = _next_report(now)
        compound = b""
        for leg in self.legs:
            leg.meter.look(leg.payload_bytes, now=now)
            report = leg.sender_report(at_ntp=at_ntp, now=now)
            if report is not None:
                compound += rtcp.write_sender_report(report)
                compound += rtcp.write_source_description(leg.ssrc, CNAME)
        if compound:
            if not self.outbox.rtp:
                touched.append(self.outbox)
            self.outbox.rtcp.append(compound)

    def due(self) -> float | None:
        """Return when `report` has something to do: never while nothing flows."""
        if not self.receiving:
            return None
        flows = any(leg.active or leg.cursor is not None or leg.meter.bps for leg in self.legs)
        return self._report_at if flows else None

    def stats(self) -> SessionStats:
        """Return the numbers."""
        return SessionStats(
            connected=self.connected,
            suspended=self.suspended,
            rtt_s=self.round_trip_s,
            remb_bps=self.downlink.remb_bps,
            legs=tuple(leg.stats() for leg in self.legs),
        )

    def _take_blocks(self, blocks: Sequence[rtcp.ReportBlock], at_ntp: int) -> None:
        worst: int | None = None
        for block in blocks:
            leg = self._by_ssrc.get(block.ssrc)
            if leg is None:
                continue
            leg.reported(block)
            if leg.active:
                worst = max(worst or 0, block.fraction_lost)
            sample = round_trip_s(block, at_ntp=at_ntp)
            if sample is not None:
                known, least = self.round_trip_s, self._least_round_trip_s
                self.round_trip_s = sample if known is None else known + (sample - known) / 8
                if least is None or sample < least:
                    self._least_round_trip_s = sample
                else:
                    self._least_round_trip_s = least + (sample - least) / LEAST_FOLLOWS
        if worst is not None:
            # Of a video of which nothing comes through no loss is reported; of the sound it is.
            self.downlink.lost(worst / 256)
            self.has_news = True

    def _repair(self, nack: rtcp.Nack, now: float, sent: bytes, touched: list[Outbox]) -> None:
        leg = self._by_ssrc.get(nack.media)
        if leg is None or not self.receiving:
            return
        leg.nacked += len(nack.lost)
        if leg.spec.kind is Kind.VIDEO:
            self.downlink.missed(len(nack.lost), now=now)
        # The least round trip, not the usual one: by that, jitter would make every other
        # repeated request seem to come too early.
        hold_off = self._least_round_trip_s or HOLD_OFF_MIN_S
        found = leg.repair(nack.lost, round_trip_s=hold_off, sent=sent, now=now)
        if found:
            if not self.outbox.rtp:
                touched.append(self.outbox)
            self.outbox.rtp.extend(found)

    def _want(self, ssrc: int, wanted: list[Source]) -> None:
        leg = self._by_ssrc.get(ssrc)
        if leg is None:
            return
        leg.keyframes_wanted += 1
        if leg.source is None or leg.source in wanted:
            return
        # In a replay the key frame has just been sent: what of it was lost is repaired.
        if leg.cursor is None:
            wanted.append(leg.source)


def _next_report(now: float) -> float:
    return math.ceil((now + REPORT_INTERVAL_S) / REPORT_GRID_S) * REPORT_GRID_S
