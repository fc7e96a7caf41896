"""One publishing session: which packet belongs to which track, what it is told back.

In: its RTP and RTCP. Out: packets given to tracks; receiver reports, NACKs, key frame
requests and the allowed bitrate for it. Must not know rooms' slots or viewers.
"""

from collections.abc import Sequence
from typing import final

from sfu.media.arrivals import Arrivals
from sfu.media.leg import Outbox
from sfu.media.model import Fan, Kind, RoomId, SessionId, TrackChange, TrackEvent, TrackSpec
from sfu.media.pictures import LayerPictures, Pictures
from sfu.media.reports import SenderClock
from sfu.media.shape import MID, REPAIRED_RID, RID, TRANSPORT_WIDE
from sfu.media.stats import SessionStats
from sfu.media.track import STALL_AFTER_S, Drop, Layer, Track
from sfu.packet import rtcp, rtp
from sfu.packet.transport_wide import number_of

SSRCS_MAX = 8
"""Streams of one publisher; packets of further SSRCs are dropped and counted."""
SSRC_SILENT_S = 1.0
"""A track takes a new SSRC only when the old one has been silent for so long."""
REPORT_INTERVAL_S = 1.0
FEEDBACK_SSRC = 1
"""We send no media to publishers, so our reports bear the number libwebrtc uses for that."""
CNAME = "liveroom"

_DESCRIPTION = rtcp.write_source_description(FEEDBACK_SSRC, CNAME)
_EMPTY_REPORT = rtcp.write_receiver_report(rtcp.ReceiverReport(FEEDBACK_SSRC)) + _DESCRIPTION


@final
class Publisher:
    """A session that sends media."""

    def __init__(
        self, session: SessionId, room: RoomId, specs: Sequence[TrackSpec], *, remb_bps: int
    ) -> None:
        self.session = session
        self.room = room
        self.connected = self.suspended = False
        self.outbox = Outbox(session)
        clock = SenderClock()
        self.tracks = tuple(track for spec in specs for track in _tracks(spec, session, clock))
        """All streams; of a simulcast m-line one for each layer."""
        self._layers: dict[Kind, tuple[Track, ...]] = {}
        for track in self.tracks:
            shown = self._layers.get(track.spec.kind, ())
            if not shown or shown[0].spec is track.spec:
                self._layers[track.spec.kind] = (*shown, track)
        self._remb_bps = remb_bps
        self._report_at: float | None = None
        self._fir_number = 0
        self._arrivals = Arrivals()
        self._by_ssrc: dict[int, Track] = {}
        for track in self.tracks:
            for ssrc in (track.ssrc, track.rtx_ssrc):
                if ssrc is not None and len(self._by_ssrc) < SSRCS_MAX:
                    self._by_ssrc.setdefault(ssrc, track)
        self._by_name = {_name(t.spec.mid, t.rid): t for t in self.tracks}
        self._mid_ids = _identities(specs, MID)
        self._rid_ids = _identities(specs, RID) | _identities(specs, REPAIRED_RID)
        self._by_payload_type = _unique_payload_types(self.tracks)
        self._wide_id = _transport_wide_id(specs)

    def layers(self, kind: Kind) -> tuple[Track, ...]:
        """Return the streams of which a slot shows one for a kind; none, one or several."""
        return self._layers.get(kind, ())

    def best(self, kind: Kind) -> Track | None:
        """Return the stream for somebody who gets one for good: the dearest layer that is live.

        Before anything is measured it is the last in the offer's order, as offers rise.
        """
        layers = self.layers(kind)
        live = [track for track in layers if track.live] or layers
        return max(reversed(live), key=lambda track: track.meter.bps, default=None)

    def connect(self, *, now: float) -> None:
        """Let feedback flow."""
        self.connected = True
        self._report_at = now + REPORT_INTERVAL_S

    def receive(
        self, packet: rtp.RtpPacket, *, arrived: float, sent: bytes, touched: list[Outbox]
    ) -> Drop | TrackEvent | None:
        """Take a media packet: None is fine, an event says that its track is live now."""
        if self._wide_id and packet.profile:
            number = number_of(packet.profile, packet.extension, self._wide_id)
            if number is not None:
                self._arrivals.arrived(number, now=arrived)
        track = self._by_ssrc.get(packet.ssrc)
        if track is None:
            learned = self._learn(packet, arrived)
            if isinstance(learned, Drop):
                return learned
            track = learned
        was_live = self._is_live(track)
        dropped = track.receive(packet, arrived=arrived, sent=sent, touched=touched)
        if track.live and not was_live:
            # libwebrtc takes an early REMB as where to start, a later one only as a ceiling.
            if self._report_at is not None:
                self._report_at = arrived
            return self._event(track, TrackChange.STARTED)
        return dropped

    def feedback(self, compound: rtcp.Compound, *, now: float, at_ntp: int) -> None:
        """Take the publisher's RTCP: of interest are its sender reports."""
        for part in compound.parts:
            if isinstance(part, rtcp.SenderReport):
                track = self._by_ssrc.get(part.ssrc)
                if track is not None and track.ssrc == part.ssrc:
                    track.reported(part.ntp, part.timestamp, now=now, at_ntp=at_ntp)

    def ask(self, *, now: float, touched: list[Outbox]) -> tuple[int, int]:
        """Write the requests that are due; return how many NACKed numbers and key frames."""
        if not self.connected or self.suspended:
            return 0, 0
        parts: list[bytes] = []
        numbers = keyframes = 0
        for track in self.tracks:
            if track.ssrc is None:
                continue
            lost = track.log.take(now=now) if track.log is not None else ()
            if lost:
                parts.append(rtcp.write_nack(FEEDBACK_SSRC, track.ssrc, lost))
                track.nacks_asked += len(lost)
                numbers += len(lost)
            if track.requests.take(now=now):
                parts.append(self._keyframe_request(track, track.ssrc))
                keyframes += 1
        if parts:
            self._put(_EMPTY_REPORT + b"".join(parts), touched)
        return numbers, keyframes

    def report(self, *, now: float, touched: list[Outbox]) -> None:
        """Write the reports that are due: of arrivals, and the periodic one."""
        self._report_arrivals(now=now, touched=touched)
        if self._report_at is None or now < self._report_at:
            return
        self._report_at = now + REPORT_INTERVAL_S
        for track in self.tracks:
            track.meter.look(track.received_bytes, now=now)
        if self.suspended:
            return
        blocks = [
            block
            for track in self.tracks
            if track.ssrc is not None
            and (block := track.reception.take_block(track.ssrc, now=now)) is not None
        ]
        report = rtcp.ReceiverReport(FEEDBACK_SSRC, tuple(blocks))
        compound = rtcp.write_receiver_report(report) + _DESCRIPTION
        limited = [
            t.ssrc for t in self.tracks if t.ssrc is not None and "goog-remb" in t.spec.feedback
        ]
        if limited:
            compound += rtcp.write_remb(FEEDBACK_SSRC, self._remb_bps, limited)
        self._put(compound, touched)

    def stalled(self, *, now: float) -> list[TrackEvent]:
        """Note the tracks that have gone silent."""
        events: list[TrackEvent] = []
        for track in self.tracks:
            if track.live and now - track.newest_arrived >= STALL_AFTER_S:
                track.live = False
                if not self._is_live(track):
                    events.append(self._event(track, TrackChange.STALLED))
        return events

    def ended(self) -> list[TrackEvent]:
        """Return the ends of all tracks that ever began."""
        began = {track.spec.mid: track for track in self.tracks if track.codec is not None}
        return [self._event(track, TrackChange.ENDED) for track in began.values()]

    def due(self) -> float | None:
        """Return when `ask`, `report` or `stalled` has something to do."""
        moments = [track.due() for track in self.tracks] if not self._mute else []
        moments += [self._report_at, None if self._mute else self._arrivals.due()]
        moments += [t.newest_arrived + STALL_AFTER_S for t in self.tracks if t.live]
        return min((m for m in moments if m is not None), default=None)

    def stats(self) -> SessionStats:
        """Return the numbers."""
        return SessionStats(
            connected=self.connected,
            suspended=self.suspended,
            rtt_s=None,
            remb_bps=self._remb_bps,
            tracks=tuple(track.stats() for track in self.tracks),
        )

    def _is_live(self, track: Track) -> bool:
        """Say whether any layer of a track's m-line is live."""
        return any(each.live for each in self.tracks if each.spec is track.spec)

    @property
    def _mute(self) -> bool:
        return not self.connected or self.suspended

    def _report_arrivals(self, *, now: float, touched: list[Outbox]) -> None:
        media = next((track.ssrc for track in self.tracks if track.ssrc is not None), None)
        if media is None or self._mute:
            return
        # One datagram each, reduced-size (RFC 5506): a compound of several might not fit one.
        for report in self._arrivals.take(FEEDBACK_SSRC, media, now=now):
            self._put(report, touched)

    def _put(self, compound: bytes, touched: list[Outbox]) -> None:
        self.outbox.rtcp.append(compound)
        touched.append(self.outbox)

    def _event(self, track: Track, change: TrackChange) -> TrackEvent:
        return TrackEvent(self.session, self.room, track.spec.kind, change)

    def _keyframe_request(self, track: Track, ssrc: int) -> bytes:
        if "nack pli" in track.spec.feedback:
            return rtcp.write_picture_loss(FEEDBACK_SSRC, ssrc)
        self._fir_number += 1
        return rtcp.write_full_intra_request(FEEDBACK_SSRC, [(ssrc, self._fir_number)])

    def _learn(self, packet: rtp.RtpPacket, arrived: float) -> Track | Drop:
        """Find the track of a new SSRC (RFC 9143 section 9.2, RFC 8852), and remember it."""
        values = rtp.parse_extensions(packet.profile, packet.extension) if self._mid_ids else {}
        mid = next((values[i] for i in self._mid_ids if i in values), None)
        rid = next((values[i] for i in self._rid_ids if i in values), None)
        if mid is not None:
            track = self._by_name.get((mid, rid)) or self._by_name.get((mid, None))
        else:
            track = self._by_payload_type.get(packet.payload_type)
        if track is None:
            return Drop.UNKNOWN_SSRC
        is_rtx = packet.payload_type in track.spec.rtx
        if not is_rtx and packet.payload_type not in track.spec.codecs:
            return Drop.PAYLOAD_TYPE
        before = track.rtx_ssrc if is_rtx else track.ssrc
        if before is not None and track.live:
            silent = arrived - track.newest_arrived >= SSRC_SILENT_S
            if not silent:
                return Drop.UNKNOWN_SSRC
        if before is not None and self._by_ssrc.get(before) is track:
            del self._by_ssrc[before]
        if len(self._by_ssrc) >= SSRCS_MAX:
            return Drop.SSRC_CAP
        self._by_ssrc[packet.ssrc] = track
        if is_rtx:
            track.rtx_ssrc = packet.ssrc
        else:
            if before is not None:
                track.renumber()
            track.ssrc = packet.ssrc
        return track


def _tracks(spec: TrackSpec, session: SessionId, clock: SenderClock) -> list[Track]:
    """Make the track of an m-line, or one for each of its layers."""
    if not spec.rids:
        return [Track(spec, session, clock)]
    fans: list[Fan] = []
    shared = Pictures()
    return [
        Track(spec, session, clock, Layer(rid, fans, LayerPictures(shared))) for rid in spec.rids
    ]


def _name(mid: str, rid: str | None) -> tuple[bytes, bytes | None]:
    return mid.encode(), None if rid is None else rid.encode()


def _identities(specs: Sequence[TrackSpec], uri: str) -> set[int]:
    return {spec.extensions[uri] for spec in specs if uri in spec.extensions}


def _unique_payload_types(tracks: Sequence[Track]) -> dict[int, Track]:
    """Map the payload types that only one track uses."""
    found: dict[int, Track] = {}
    shared: set[int] = set()
    for track in tracks:
        for payload_type in {*track.spec.codecs, *track.spec.rtx}:
            if payload_type in found:
                shared.add(payload_type)
            found[payload_type] = track
    return {p: t for p, t in found.items() if p not in shared}


def _transport_wide_id(specs: Sequence[TrackSpec]) -> int:
    """Return the id of the extension if its feedback was agreed on; 0 when not.

    One transport has one numbering and so one id (RFC 8843 section 9.2 for bundled m-lines).
    """
    return next(
        (
            spec.extensions[TRANSPORT_WIDE]
            for spec in specs
            if TRANSPORT_WIDE in spec.extensions and "transport-cc" in spec.feedback
        ),
        0,
    )
