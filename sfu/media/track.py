"""One stream a publisher sends: what arrived, what is missing, who follows.

In: parsed packets of its SSRCs. Out: stored packets, given to the followers; requests for
what is missing. Sequence numbers are unwrapped here, on arrival. Must not know how a packet
found its track or how feedback is sent.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import final

from sfu.media.followers import Followers
from sfu.media.gop import Fallback, Gop
from sfu.media.history import AUDIO_PACKETS, NOTHING_PASSED, VIDEO_PACKETS, History, Stored
from sfu.media.keyframes import KeyframeRequests
from sfu.media.leg import Leg, Outbox
from sfu.media.meter import Meter
from sfu.media.model import Codec, Fan, Kind, SessionId, TrackSpec
from sfu.media.parameters import ParameterSets
from sfu.media.pictures import LayerPictures
from sfu.media.repair import ReceiveLog
from sfu.media.reports import Reception, SenderClock
from sfu.media.shape import AUDIO_LEVEL, PASSED_ON
from sfu.media.speaking import Loudness
from sfu.media.stats import TrackStats
from sfu.packet import rtp
from sfu.packet.payload import keyframe_detector
from sfu.packet.rewrite import timestamp_ahead, unwrap

JUMP_MAX = 1000
"""A gap in the numbering beyond which the sender is taken to have begun anew."""
LATE_MAX = 4096
"""A packet further behind the newest is not late: the sender may have begun anew."""
STALL_AFTER_S = 3.0
"""A track without packets for so long is stalled."""


FLOWING_S = 1.5
"""A layer without packets for so long is one that its sender has left out."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What makes a track one of several simulcast layers of an m-line.

    `fans` is the list that all its layers share (see `Followers`).
    """

    rid: str
    fans: list[Fan]
    pictures: LayerPictures


class Drop(StrEnum):
    """Why a packet that came in was not used."""

    MALFORMED = "malformed"
    UNKNOWN_SESSION = "unknown_session"
    NOT_A_PUBLISHER = "not_a_publisher"
    UNKNOWN_SSRC = "unknown_ssrc"
    SSRC_CAP = "ssrc_cap"
    PAYLOAD_TYPE = "payload_type"
    OLD_CODEC = "old_codec"
    PROBE = "probe"
    DUPLICATE = "duplicate"
    TOO_OLD = "too_old"
    JUMP = "jump"


@final
class Track:
    """One m-line of a publisher.

    Args:
        spec: what was negotiated.
        session: who publishes it.
        clock: the publisher's clock, shared by its tracks.
        layer: given when the m-line has several.

    """

    def __init__(
        self,
        spec: TrackSpec,
        session: SessionId,
        clock: SenderClock,
        layer: Layer | None = None,
    ) -> None:
        self.spec = spec
        self.session = session
        self.ssrc = spec.ssrc
        self.rtx_ssrc = spec.rtx_ssrc
        self.codec: Codec | None = None
        self.clock_rate = next((c.clock_rate for c in spec.codecs.values()), 90_000)
        self.highest = 0
        self.newest_timestamp = 0
        self.newest_arrived = 0.0
        self.forwarded = self.forwarded_bytes = 0
        self.keyframes = 0
        self.nacks_asked = 0
        self.begun = False
        self.live = False
        self.history = History(VIDEO_PACKETS if spec.kind is Kind.VIDEO else AUDIO_PACKETS)
        self.log = ReceiveLog() if "nack" in spec.feedback else None
        self.reception = Reception()
        feedback = spec.feedback
        self.requests = KeyframeRequests(
            can_ask=spec.kind is Kind.VIDEO and bool({"nack pli", "ccm fir"} & feedback)
        )
        self.rid = None if layer is None else layer.rid
        self._layer = layer
        self._pictures: LayerPictures | None = None
        self.followers = Followers(self, None if layer is None else layer.fans)
        self.loudness = Loudness() if AUDIO_LEVEL in spec.extensions else None
        self._clock = clock
        self._payload_type = -1
        self._starts_keyframe = keyframe_detector("")
        self._parameters: ParameterSets | None = None
        self._gop = Gop()
        self._after_jump: int | None = None
        self.received_bytes = 0
        self._received = 0
        self.meter = Meter()
        self._passed = tuple(
            (spec.extensions[uri], uri) for uri in PASSED_ON if uri in spec.extensions
        )

    @property
    def newest_keyframe(self) -> Stored | None:
        """The first packet of the newest key frame while nothing from it on is forgotten."""
        first = self._gop.first
        kept = first is not None and self.history.reaches(first.sequence, self.highest)
        return first if kept else None

    @property
    def parameter_sets(self) -> tuple[bytes, ...]:
        """The payloads that belong ahead of a key frame that comes without them (H264)."""
        return () if self._parameters is None else self._parameters.ahead()

    def receive(
        self, packet: rtp.RtpPacket, *, arrived: float, sent: bytes, touched: list[Outbox]
    ) -> Drop | None:
        """Take a packet and give it to the followers; say why when it is of no use."""
        payload_type, sequence, payload = packet.payload_type, packet.sequence, packet.payload
        repaired = self.spec.rtx.get(payload_type)
        if repaired is not None:
            original = rtp.parse_rtx_payload(payload)
            if original is None:
                return Drop.PROBE
            payload_type = repaired
            sequence, payload = original
        if payload_type not in self.spec.codecs:
            return Drop.PAYLOAD_TYPE
        placed = self._place(sequence, payload_type, is_repair=repaired is not None)
        if isinstance(placed, Drop):
            return placed
        if self._pictures is not None and self._starts_keyframe is not None:
            payload = self._pictures.renumber(
                payload,
                starts=self._starts_keyframe(payload),
                is_late=self.begun and placed < self.highest,
            )
        stored = Stored(
            placed,
            packet.timestamp,
            packet.marker,
            payload_type,
            payload,
            sent,
            arrived,
            self._kept(packet) if self._passed else NOTHING_PASSED,
        )
        self.live = True
        if self.loudness is not None:
            self.loudness.heard(stored.passed.get(AUDIO_LEVEL, b""), now=arrived)
        self._received += 1
        self.received_bytes += len(payload)
        self.history.put(stored)
        if self._parameters is not None:
            self._parameters.seen(payload)
        self.reception.received(placed)
        if not self.begun or placed > self.highest:
            self._take_next(stored, touched)
        else:
            self._take_late(stored, touched)
        return None

    def attach(self, leg: Leg) -> None:
        """Let a leg follow; video needs a replay or a key frame for it."""
        self.followers.add(leg)

    def detach(self, leg: Leg) -> None:
        """Let a leg go."""
        self.followers.remove(leg)

    def flows(self, *, now: float) -> bool:
        """Say whether packets come."""
        return self.live and now - self.newest_arrived < FLOWING_S

    def replay_obstacle(self, *, now: float) -> Fallback | None:
        """Say why a leg that waits cannot be shown a replay; None when it can."""
        return self._gop.obstacle(
            self.history,
            highest=self.highest,
            newest_timestamp=self.newest_timestamp,
            clock_rate=self.clock_rate,
            now=now,
        )

    def start_replay(self, leg: Leg, *, now: float) -> Fallback | None:
        """Let a waiting leg begin with the newest key frame; say what makes one more needed.

        With a hole that nobody will fill the replay is worth its while all the same: there is
        a picture at once, and it moves again with the next key frame.
        """
        obstacle = self.replay_obstacle(now=now)
        first = self._gop.first
        if obstacle is not None or first is None:
            return obstacle
        assert self.codec is not None, self.spec.mid
        if not self.followers.start_replay(
            leg, first, self.codec, self.spec.extensions, lead=self._lead(first)
        ):
            return None
        is_complete = self._gop.is_complete(self.history, self.log, self.highest)
        return None if is_complete else Fallback.INCOMPLETE

    def reshape(self, leg: Leg) -> None:
        """End the hurry of a leg whose replay is long over."""
        if self.codec is not None:
            self.followers.reshape(leg, self.codec, self.spec.extensions)

    def forget_past(self) -> None:
        """Let nobody begin with what came before now, which not everybody may see."""
        self._gop.clear()

    def want_keyframe(self, *, now: float, round_trip_s: float = 0.0) -> None:
        """Note that a viewer cannot decode; a key frame within its round trip is on its way."""
        last = self.requests.arrived_at
        if last is None or now - last >= round_trip_s:
            self.requests.want()

    def timestamp_at(self, *, at_ntp: int, now: float) -> int | None:
        """Return the source's timestamp for a moment; None when it has stalled."""
        if not self.begun or not self.live:
            return None
        return self.reception.timestamp_at(
            self._clock,
            at_ntp=at_ntp,
            now=now,
            clock_rate=self.clock_rate,
            newest=self.newest_timestamp,
            newest_arrived=self.newest_arrived,
        )

    def reported(self, ntp: int, timestamp: int, *, now: float, at_ntp: int) -> None:
        """Take the publisher's sender report; a zero clock says that it has none."""
        if ntp:
            self._clock.reported(ntp, at_ntp=at_ntp)
            self.reception.reported(ntp, timestamp, now=now)

    def renumber(self) -> None:
        """Expect another numbering: a new SSRC, or the sender began anew."""
        self.followers.renew()
        self.reception.begin()
        if self.log is not None:
            self.log.clear()
        self._after_jump = None
        self._gop.clear()
        if self._pictures is not None:
            self._pictures.clear()
        if self.begun:
            # Numbers stay unique in the history: two turns ahead of all that were used.
            self.highest = ((self.highest >> 16) + 2) << 16
            self.begun = False
        if self.followers.waiting:
            self.requests.want()

    def due(self) -> float | None:
        """Return when something must be asked of the publisher or a stall be noticed."""
        stall = self.newest_arrived + STALL_AFTER_S if self.live else None
        missing = self.log.due() if self.log is not None else None
        # A request names the SSRC: before it is known there is nothing to ask.
        request = self.requests.due() if self.ssrc is not None else None
        moments = [m for m in (stall, missing, request) if m is not None]
        return min(moments, default=None)

    def stats(self) -> TrackStats:
        """Return the numbers."""
        return TrackStats(
            mid=self.spec.mid,
            layer=self.rid,
            kind=self.spec.kind,
            codec=None if self.codec is None else self.codec.name,
            ssrc=self.ssrc,
            packets=self._received,
            bytes=self.received_bytes,
            lost=self.reception.lost,
            recovered=0 if self.log is None else self.log.recovered,
            jitter_s=self.reception.jitter / self.clock_rate,
            keyframes=self.keyframes,
            keyframes_asked=self.requests.asked,
            nacks_asked=self.nacks_asked,
            bitrate_bps=self.meter.bps,
        )

    def _place(self, sequence: int, payload_type: int, *, is_repair: bool) -> int | Drop:
        """Unwrap a number, or say why the packet has no place."""
        if not self.begun:
            if is_repair:
                return Drop.TOO_OLD
            self._use_codec(payload_type)
            return self.highest & ~0xFFFF | sequence
        placed = unwrap(sequence, self.highest)
        ahead = placed - self.highest
        if ahead > JUMP_MAX or ahead <= -min(LATE_MAX, self.history.capacity):
            if is_repair:
                return Drop.TOO_OLD
            # RFC 3550 appendix A.1: two in a row after a jump are a new beginning.
            if sequence != self._after_jump:
                self._after_jump = (sequence + 1) & 0xFFFF
                return Drop.JUMP
            self.renumber()
            self._use_codec(payload_type)
            return self.highest | sequence
        if ahead <= 0:
            if self.history.get(placed) is not None:
                return Drop.DUPLICATE
            if payload_type != self._payload_type:
                return Drop.OLD_CODEC
        elif payload_type != self._payload_type:
            if is_repair:
                return Drop.OLD_CODEC
            self._use_codec(payload_type)
        self._after_jump = None
        return placed

    def _use_codec(self, payload_type: int) -> None:
        if payload_type == self._payload_type:
            return
        self.followers.renew()
        if self.followers.waiting:
            self.requests.want()
        self._gop.clear()
        self._payload_type = payload_type
        self.codec = self.spec.codecs[payload_type]
        self.clock_rate = self.codec.clock_rate
        self._starts_keyframe = keyframe_detector(self.codec.name)
        self._parameters = ParameterSets() if self.codec.name == "h264" else None
        is_numbered = self._layer is not None and self.codec.name == "vp8"
        self._pictures = self._layer.pictures if self._layer and is_numbered else None

    def _kept(self, packet: rtp.RtpPacket) -> dict[str, bytes]:
        values = rtp.parse_extensions(packet.profile, packet.extension)
        return {uri: values[identity] for identity, uri in self._passed if identity in values}

    def _take_next(self, stored: Stored, touched: list[Outbox]) -> None:
        previous = self.highest
        self.highest = stored.sequence
        if not self.begun:
            self.begun = True
            self.newest_timestamp = stored.timestamp
        else:
            if self.log is not None:
                self.log.advanced(previous, stored.sequence, now=stored.arrived)
            if timestamp_ahead(stored.timestamp, self.newest_timestamp) > 0:
                self.newest_timestamp = stored.timestamp
        self.newest_arrived = stored.arrived
        self.reception.arrived(stored.timestamp, clock_rate=self.clock_rate, now=stored.arrived)
        if self._can_start(stored):
            if self.followers.candidates and self.codec is not None:
                self.followers.admit(self.codec, self.spec.extensions)
            if self.followers.waiting:
                self._start(stored, touched)
        self.followers.forward(stored)
        self._count(stored)

    def _take_late(self, stored: Stored, touched: list[Outbox]) -> None:
        if self.log is not None:
            self.log.filled(stored.sequence, now=stored.arrived)
        self.newest_arrived = stored.arrived
        self.followers.forward_late(stored, touched)
        self._count(stored)
        starts = self._starts_keyframe is not None and self._can_start(stored)
        if starts and self.followers.waiting:
            self.followers.replay(self._start(stored, touched), stored)

    def _can_start(self, stored: Stored) -> bool:
        if self._starts_keyframe is None:
            # Nobody can tell a key frame of this codec: any packet must do, and one request.
            if self.requests.asked:
                self.requests.forget()
            return True
        if not self._starts_keyframe(stored.payload):
            return False
        self.keyframes += 1
        self._gop.keyframe(stored)
        self.requests.arrived(now=stored.arrived)
        return True

    def _start(self, stored: Stored, touched: list[Outbox]) -> list[Leg]:
        assert self.codec is not None, self.spec.mid
        return self.followers.start(
            stored, self.codec, self.spec.extensions, lead=self._lead(stored), touched=touched
        )

    def _lead(self, stored: Stored) -> tuple[Stored, ...]:
        """Make packets of the parameter sets that a key frame came without."""
        if self._parameters is None or self._parameters.seen(stored.payload):
            return ()
        payloads = self._parameters.ahead()
        first = stored.sequence - len(payloads)
        return tuple(
            replace(stored, sequence=first + n, marker=False, payload=payload)
            for n, payload in enumerate(payloads)
        )

    def _count(self, stored: Stored) -> None:
        self.forwarded += 1
        self.forwarded_bytes += len(stored.payload)
