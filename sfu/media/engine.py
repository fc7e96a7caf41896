"""The single entry of the media core: packets and moments in, what must be sent out.

Control registers sessions (`publish`, `watch`), says when they are connected, who is on
which stage slot, who went silent. The shell feeds authenticated packets and moments. Every
call returns all that follows from it. Must not know sockets, keys, SDP or a clock.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import final

from sfu.media.adaptation import Adaptation, Video
from sfu.media.deadlines import Deadlines
from sfu.media.leg import Leg, Outbox
from sfu.media.model import (
    HOST_SLOT,
    Datagram,
    Kind,
    LegBatch,
    LegSpec,
    Output,
    PictureEvent,
    RoomId,
    SessionId,
    StageEvent,
    TrackEvent,
    TrackSpec,
)
from sfu.media.publisher import Publisher
from sfu.media.replay import Replays
from sfu.media.shape import send_time
from sfu.media.speaking import Speakers
from sfu.media.stage import Stage
from sfu.media.stats import EngineStats, ReplayStats, SessionStats
from sfu.media.tap import Picture, Tap, newest_picture
from sfu.media.track import Drop, Track
from sfu.media.viewer import KEYFRAME_FLIGHT_S, Viewer
from sfu.packet import rtcp, rtp

REMB_BPS = 4_000_000
"""What a publisher is told it may send when the configuration says nothing else."""


@final
class Engine:
    """Forward every publisher's packets to the legs that show them.

    Args:
        remb_bps: the bitrate every publisher is told it may use (the room's cap).

    """

    def __init__(self, *, remb_bps: int = REMB_BPS) -> None:
        self._remb_bps = remb_bps
        self._publishers: dict[SessionId, Publisher] = {}
        self._viewers: dict[SessionId, Viewer] = {}
        self._stage = Stage()
        self._deadlines: Deadlines[SessionId] = Deadlines()
        self._replays = Replays()
        self._speakers = Speakers()
        self._adaptation = Adaptation(
            attach=lambda leg, track: self._join(leg, track, now=self._now), detach=self._detach
        )
        self._totals: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._now = 0.0

    def publish(
        self, session: SessionId, room: RoomId, tracks: Sequence[TrackSpec], *, now: float
    ) -> None:
        """Register a publisher; a slot that is bound to it already begins to show it."""
        assert session not in self._publishers, session
        assert session not in self._viewers, session
        self._now = now
        publisher = Publisher(session, room, tracks, remb_bps=self._remb_bps)
        self._publishers[session] = publisher
        for place in self._stage.places(session):
            for leg in self._stage.legs(*place):
                self._attach(leg, publisher, now=now)

    def watch(
        self, session: SessionId, room: RoomId, legs: Sequence[LegSpec], *, now: float
    ) -> None:
        """Register a viewer; nothing is sent to it before `connect`."""
        assert session not in self._viewers, session
        assert session not in self._publishers, session
        self._now = now
        viewer = Viewer(session, room, legs)
        self._viewers[session] = viewer
        for leg in viewer.legs:
            self._stage.enter(room, leg)

    def connect(self, session: SessionId, *, now: float) -> Output:
        """Start sending to a session whose keys are ready; again is without effect."""
        asking: dict[Publisher, None] = {}
        publisher, viewer = self._publishers.get(session), self._viewers.get(session)
        if publisher is not None and not publisher.connected:
            publisher.connect(now=now)
            asking[publisher] = None
        elif viewer is not None and not viewer.connected:
            viewer.connect(now=now)
            self._follow(viewer, asking, now=now)
        return self._finish([], asking, now=now)

    def bind(self, room: RoomId, slot: int, source: SessionId | None, *, now: float) -> Output:
        """Show a publisher (of any room) on a slot, or nobody; viewers' streams go on unbroken."""
        if self._stage.source(room, slot) == source:
            return self._finish([], {}, now=now)
        self._stage.bind(room, slot, source)
        publisher = None if source is None else self._publishers.get(source)
        for leg in self._stage.legs(room, slot):
            self._detach(leg)
            if publisher is not None:
                self._attach(leg, publisher, now=now)
        return self._finish([], {} if publisher is None else {publisher: None}, now=now)

    def mute(self, room: RoomId, slot: int, kinds: frozenset[Kind], *, now: float) -> Output:
        """Let these kinds of a slot reach nobody; others do (again), from now on only."""
        before = self._stage.muted(room, slot)
        self._stage.mute(room, slot, kinds)
        source = self._stage.source(room, slot)
        publisher = None if source is None else self._publishers.get(source)
        if publisher is None or kinds == before:
            return self._finish([], {}, now=now)
        for kind in before - kinds:
            for track in publisher.layers(kind):
                track.forget_past()
        for leg in self._stage.legs(room, slot):
            if leg.spec.kind in kinds - before:
                self._detach(leg)
            elif leg.spec.kind in before - kinds:
                self._attach(leg, publisher, now=now)
        return self._finish([], {publisher: None}, now=now)

    def move(self, session: SessionId, room: RoomId, *, now: float) -> Output:
        """Let a viewer look at another room's stage; its streams go on unbroken."""
        viewer = self._viewers[session]
        for leg in viewer.legs:
            self._detach(leg)
            self._stage.leave(viewer.room, leg)
        viewer.room = room
        for leg in viewer.legs:
            self._stage.enter(room, leg)
        asking: dict[Publisher, None] = {}
        if viewer.receiving:
            self._follow(viewer, asking, now=now)
        return self._finish([], asking, now=now)

    def suspend(self, session: SessionId, *, now: float) -> None:
        """Stop sending to a session that seems gone; packets from it still count."""
        self._now = now
        publisher, viewer = self._publishers.get(session), self._viewers.get(session)
        if publisher is not None:
            publisher.suspended = True
            self._deadlines.set(session, publisher.due())
        elif viewer is not None and not viewer.suspended:
            viewer.suspended = True
            viewer.starved.clear()
            self._deadlines.set(session, None)
            for leg in viewer.legs:
                self._detach(leg)

    def resume(self, session: SessionId, *, now: float) -> None:
        """Send again; the key frame request this needs comes out of the next `tick`."""
        self._now = now
        publisher, viewer = self._publishers.get(session), self._viewers.get(session)
        if publisher is not None:
            publisher.suspended = False
            self._deadlines.pull(session, publisher.due())
        elif viewer is not None and viewer.suspended:
            viewer.suspended = False
            if viewer.connected:
                asking: dict[Publisher, None] = {}
                self._follow(viewer, asking, now=now)
                for source in asking:
                    self._deadlines.pull(source.session, source.due())

    def close(self, session: SessionId, *, now: float) -> Output:
        """Forget a session; a publisher leaves its slots, their viewers stay."""
        self._deadlines.set(session, None)
        events: list[TrackEvent] = []
        publisher = self._publishers.pop(session, None)
        if publisher is not None:
            for track in publisher.tracks:
                for leg in track.followers.all():
                    self._detach(leg)
            for room, slot in self._stage.places(session):
                self._stage.bind(room, slot, None)
            events = publisher.ended()
        viewer = self._viewers.pop(session, None)
        if viewer is not None:
            for leg in viewer.legs:
                self._detach(leg)
                self._stage.leave(viewer.room, leg)
                self._totals["bytes_out"] += leg.payload_bytes
                self._totals["repairs_out"] += leg.repairs
                self._totals["repairs_refused"] += leg.refused
        return self._finish([], {}, now=now, events=events)

    def receive(self, batch: Sequence[Datagram], *, now: float, at_ntp: int) -> Output:
        """Take decrypted packets in order of arrival; unknown sessions are counted and dropped.

        Args:
            batch: what the socket gave, of any number of sessions.
            now: monotonic seconds.
            at_ntp: the same moment as a 64-bit NTP timestamp.

        """
        try:
            return self._receive(batch, now=now, at_ntp=at_ntp)
        except Exception:
            self._discard()
            raise

    def tick(self, *, now: float, at_ntp: int) -> Output:
        """Do what is due: reports, repeated requests, stall detection, pieces of replays."""
        try:
            return self._tick(now=now, at_ntp=at_ntp)
        except Exception:
            self._discard()
            raise

    def deadline(self) -> float | None:
        """Return when `tick` wants to be called next; it changes with every other call."""
        moments = (self._deadlines.earliest(), self._replays.due())
        earliest = min((moment for moment in moments if moment is not None), default=None)
        return None if earliest is None else max(earliest, self._now)

    def taps(self, session: SessionId) -> tuple[Tap, ...]:
        """Let somebody read what a publisher sends: its first picture and its first sound."""
        publisher = self._publishers.get(session)
        if publisher is None:
            return ()
        taps: list[Tap] = []
        since: float | None = None
        for kind in (Kind.VIDEO, Kind.AUDIO):
            track = publisher.best(kind)
            if track is not None:
                taps.append(Tap(track, since, partial(self._is_muted, publisher.room, kind)))
                since = taps[-1].first_arrived
        return tuple(taps)

    def want_keyframe(self, session: SessionId, *, now: float) -> None:
        """Ask a publisher for a key frame; the request comes out of the next `tick`."""
        self._now = now
        publisher = self._publishers.get(session)
        track = None if publisher is None else publisher.best(Kind.VIDEO)
        if publisher is not None and track is not None:
            track.want_keyframe(now=now)
            self._deadlines.pull(session, publisher.due())

    def picture(self, room: RoomId) -> Picture | None:
        """Return the newest key frame of a room's host; None while nobody may see one."""
        if self._is_muted(room, Kind.VIDEO):
            return None
        source = self._stage.source(room, HOST_SLOT)
        publisher = None if source is None else self._publishers.get(source)
        track = None if publisher is None else publisher.best(Kind.VIDEO)
        return None if track is None else newest_picture(track)

    def _is_muted(self, room: RoomId, kind: Kind) -> bool:
        return kind in self._stage.muted(room, HOST_SLOT)

    def stats(self) -> EngineStats:
        """Return the totals."""
        tracks = [t for p in self._publishers.values() for t in p.tracks]
        legs = [leg for v in self._viewers.values() for leg in v.legs]
        totals = self._totals
        return EngineStats(
            packets_in=totals["packets_in"],
            bytes_in=totals["bytes_in"],
            packets_out=totals["packets_out"],
            bytes_out=totals["bytes_out"] + sum(leg.payload_bytes for leg in legs),
            repairs_out=totals["repairs_out"] + sum(leg.repairs for leg in legs),
            repairs_refused=totals["repairs_refused"] + sum(leg.refused for leg in legs),
            recovered_in=sum(t.log.recovered for t in tracks if t.log is not None),
            nacks_asked=totals["nacks_asked"],
            keyframes_asked=totals["keyframes_asked"],
            replays=self._replays.stats(),
            dropped={str(reason): count for reason, count in self._dropped.items()},
            publishers=len(self._publishers),
            viewers=len(self._viewers),
            tracks=len(tracks),
            legs=len(legs),
        )

    def asked(self) -> tuple[int, int]:
        """Return how many lost packets and key frames were asked of publishers."""
        return self._totals["nacks_asked"], self._totals["keyframes_asked"]

    def replay_stats(self) -> ReplayStats:
        """Return the part of the totals that tells of replays; it costs nothing."""
        return self._replays.stats()

    def session_stats(self, session: SessionId) -> SessionStats | None:
        """Return one session's numbers, None when it is not known."""
        publisher = self._publishers.get(session)
        if publisher is not None:
            return publisher.stats()
        viewer = self._viewers.get(session)
        return None if viewer is None else viewer.stats()

    def _receive(self, batch: Sequence[Datagram], *, now: float, at_ntp: int) -> Output:
        sent = send_time(at_ntp)
        touched: list[Outbox] = []
        asking: dict[Publisher, None] = {}
        events: list[StageEvent] = []
        size = 0
        for datagram in batch:
            size += len(datagram.data)
            if datagram.is_rtcp:
                viewer = self._receive_feedback(datagram, sent, at_ntp, touched, asking)
                if viewer is not None and viewer.has_news:
                    self._now = now
                    events += self._adapt(viewer, asking)
                continue
            publisher = self._publishers.get(datagram.session)
            if publisher is None:
                known = datagram.session in self._viewers
                self._dropped[Drop.NOT_A_PUBLISHER if known else Drop.UNKNOWN_SESSION] += 1
                continue
            packet = rtp.parse(datagram.data)
            if packet is None:
                self._dropped[Drop.MALFORMED] += 1
                continue
            asking[publisher] = None
            came_to = publisher.receive(
                packet, arrived=datagram.arrived, sent=sent, touched=touched
            )
            if isinstance(came_to, Drop):
                self._dropped[came_to] += 1
            elif came_to is not None:
                events.append(came_to)
        self._totals["packets_in"] += len(batch)
        self._totals["bytes_in"] += size
        if self._speakers.is_due(now=now):
            events += self._speakers.decide(self._voices(now=now), now=now)
        return self._finish(touched, asking, now=now, at_ntp=at_ntp, events=events)

    def _tick(self, *, now: float, at_ntp: int) -> Output:
        touched: list[Outbox] = []
        asking: dict[Publisher, None] = {}
        events: list[TrackEvent] = []
        for session in self._deadlines.take(now=now):
            publisher = self._publishers.get(session)
            if publisher is not None:
                publisher.report(now=now, touched=touched)
                events += publisher.stalled(now=now)
                asking[publisher] = None
                continue
            viewer = self._viewers[session]
            viewer.report(now=now, at_ntp=at_ntp, touched=touched)
            self._deadlines.set(session, viewer.due())
        for track in self._replays.step(
            now=now,
            packets_out=self._totals["packets_out"],
            sent=send_time(at_ntp),
            touched=touched,
        ):
            asking[self._publishers[track.session]] = None
        return self._finish(touched, asking, now=now, at_ntp=at_ntp, events=events)

    def _discard(self) -> None:
        """Empty all outboxes: a bug must not leave packets behind that nobody would fetch."""
        for publisher in self._publishers.values():
            publisher.outbox.take()
            for track in publisher.tracks:
                track.followers.take()
        for viewer in self._viewers.values():
            viewer.outbox.take()

    def _receive_feedback(
        self,
        datagram: Datagram,
        sent: bytes,
        at_ntp: int,
        touched: list[Outbox],
        asking: dict[Publisher, None],
    ) -> Viewer | None:
        publisher = self._publishers.get(datagram.session)
        viewer = self._viewers.get(datagram.session)
        if publisher is None and viewer is None:
            self._dropped[Drop.UNKNOWN_SESSION] += 1
            return None
        compound = rtcp.parse(datagram.data)
        if compound.malformed:
            self._dropped[Drop.MALFORMED] += 1
        now = datagram.arrived
        if publisher is not None:
            publisher.feedback(compound, now=now, at_ntp=at_ntp)
        elif viewer is not None:
            wanted = viewer.feedback(compound, now=now, at_ntp=at_ntp, sent=sent, touched=touched)
            flight_s = viewer.round_trip_s or KEYFRAME_FLIGHT_S
            for source in wanted:
                source.want_keyframe(now=now, round_trip_s=flight_s)
                asking[self._publishers[source.session]] = None
        return viewer

    def _follow(self, viewer: Viewer, asking: dict[Publisher, None], *, now: float) -> None:
        """Let all legs of a viewer follow what their slots show."""
        for leg in viewer.legs:
            source = self._stage.source(viewer.room, leg.spec.slot)
            publisher = None if source is None else self._publishers.get(source)
            if publisher is not None:
                self._attach(leg, publisher, now=now)
                asking[publisher] = None
        self._deadlines.set(viewer.session, viewer.due())

    def _attach(self, leg: Leg, publisher: Publisher, *, now: float) -> None:
        viewer = self._viewers[leg.outbox.session]
        layers = publisher.layers(leg.spec.kind)
        if not layers or not viewer.receiving or leg in viewer.starved:
            return
        if leg.spec.kind in self._stage.muted(viewer.room, leg.spec.slot):
            return
        self._join(leg, self._adaptation.first(layers, viewer.downlink, now=now), now=now)

    def _join(self, leg: Leg, track: Track, *, now: float) -> None:
        track.attach(leg)
        if track.spec.kind is Kind.VIDEO:
            budget_bps = self._viewers[leg.outbox.session].downlink.remb_bps
            self._replays.offer(leg, track, budget_bps=budget_bps, now=now)

    def _adapt(self, viewer: Viewer, asking: dict[Publisher, None]) -> list[PictureEvent]:
        """Let a viewer's videos follow what its path carries now."""
        viewer.has_news = False
        if not viewer.receiving:
            return []
        videos: list[Video] = []
        for leg in viewer.legs:
            source = self._stage.source(viewer.room, leg.spec.slot)
            publisher = None if source is None else self._publishers.get(source)
            if publisher is None or leg.spec.kind is not Kind.VIDEO:
                continue
            if Kind.VIDEO not in self._stage.muted(viewer.room, leg.spec.slot):
                videos.append((leg, publisher.layers(Kind.VIDEO)))
        needy, events = self._adaptation.adapt(viewer, videos, now=self._now)
        for track in needy:
            asking[self._publishers[track.session]] = None
        return events

    def _voices(self, *, now: float) -> dict[RoomId, dict[SessionId, float]]:
        """Tell how loud everybody is on the stages that several share; who is muted is silent."""
        voices: dict[RoomId, dict[SessionId, float]] = {}
        for room, sources in self._stage.shared().items():
            loud = voices.setdefault(room, {})
            for source, slot in sources.items():
                publisher = self._publishers.get(source)
                if publisher is None or Kind.AUDIO in self._stage.muted(room, slot):
                    continue
                for track in publisher.layers(Kind.AUDIO):
                    if track.loudness is not None:
                        loud[source] = track.loudness.above_silence_db(now=now)
        return voices

    def _detach(self, leg: Leg) -> None:
        self._replays.forget(leg)
        self._adaptation.forget(leg)
        if isinstance(leg.source, Track):
            leg.source.detach(leg)

    def _finish(
        self,
        touched: list[Outbox],
        asking: dict[Publisher, None],
        *,
        now: float,
        at_ntp: int | None = None,
        events: Sequence[StageEvent] = (),
    ) -> Output:
        """Ask publishers for what is due, and gather all outboxes."""
        self._now = now
        for publisher in asking:
            numbers, keyframes = publisher.ask(now=now, touched=touched)
            self._totals["nacks_asked"] += numbers
            self._totals["keyframes_asked"] += keyframes
            self._deadlines.pull(publisher.session, publisher.due())
        batches: list[LegBatch] = []
        fans = [fan for p in asking for track in p.tracks for fan in track.followers.take()]
        begun: list[SessionId] = []
        packets = sum(len(fan.packets) * len(fan.roster.sessions) for fan in fans)
        for outbox in touched:
            if outbox.begun and at_ntp is not None:
                begun.append(outbox.session)
                viewer = self._viewers[outbox.session]
                viewer.report(now=now, at_ntp=at_ntp, touched=[])
                self._deadlines.set(outbox.session, viewer.due())
            batch = outbox.take()
            if batch is not None:
                batches.append(batch)
                packets += len(batch.rtp)
        self._totals["packets_out"] += packets
        return Output(tuple(batches), tuple(events), tuple(fans), tuple(begun))
