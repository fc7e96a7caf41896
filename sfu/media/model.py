"""The vocabulary of the media core: what control negotiates and what the engine returns.

Control turns SDP into `TrackSpec` (a publisher's m-line) and `LegSpec` (a viewer's m-line);
the engine turns arriving packets into an `Output`. Everything is a frozen value; nothing
here knows sockets, keys or SDP text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, NewType

SessionId = NewType("SessionId", str)
RoomId = NewType("RoomId", str)

HOST_SLOT = 0
"""The stage slot of the host; 1…n are guests."""


class Kind(StrEnum):
    """The kind of an m-line."""

    AUDIO = "audio"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Codec:
    """A media format; two ends agree on one when name, rate, channels and format match.

    `clock_rate` in Hz; `name` in lower case ("vp8", "h264", "opus"); `parameters` is the
    fmtp that decides identity, normalised by `control/sdp` (H264: profile and packetization mode).
    """

    kind: Kind
    name: str
    clock_rate: int
    channels: int = 1
    parameters: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSpec:
    """One m-line a publisher sends.

    `ssrc` may be unknown at negotiation (None): it is then learned from the mid extension or,
    failing that, from a payload type that only this m-line uses (RFC 9143 section 9.2).
    `rtx` maps a retransmission payload type to the one it repairs; `extensions` maps
    URI to the id the publisher uses; `feedback` holds a=rtcp-fb values such as "nack pli".
    `rids` name the layers of a simulcast m-line (RFC 8853), each a stream with SSRCs of its own.
    """

    mid: str
    kind: Kind
    codecs: Mapping[int, Codec]
    ssrc: int | None = None
    rtx_ssrc: int | None = None
    rtx: Mapping[int, int] = field(default_factory=dict)
    extensions: Mapping[str, int] = field(default_factory=dict)
    feedback: frozenset[str] = frozenset()
    rids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LegSpec:
    """One m-line a viewer receives: the stage slot it shows and how packets must look.

    `payload_types` maps a codec to the viewer's number for it; `rtx` maps a media payload
    type to its retransmission payload type; `ssrc` and `rtx_ssrc` are ours.
    """

    mid: str
    kind: Kind
    slot: int
    ssrc: int
    payload_types: Mapping[Codec, int]
    rtx_ssrc: int | None = None
    rtx: Mapping[int, int] = field(default_factory=dict)
    extensions: Mapping[str, int] = field(default_factory=dict)
    feedback: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Datagram:
    """One authenticated, decrypted packet of a session."""

    session: SessionId
    data: bytes
    is_rtcp: bool
    arrived: float
    """Monotonic seconds when the socket gave it."""


class Packet(NamedTuple):
    """One RTP packet for one leg: own header, shared payload (never written into).

    A named tuple, as `LegBatch` is: made once per packet and leg, at half a dataclass's cost.

    `header` is complete (extensions included) and belongs to this leg; `payload` is the
    bytes object that all legs share. On the wire: header + payload, protected.
    """

    header: bytes
    payload: bytes


class LegBatch(NamedTuple):
    """What one session's legs are to be sent, in order: media first, then feedback.

    `rtcp` holds whole compound packets in the clear. `arrived` is the earliest arrival of
    the packets it forwards (None for repairs), for the forward-latency histogram.
    """

    session: SessionId
    rtp: tuple[Packet, ...] = ()
    rtcp: tuple[bytes, ...] = ()
    arrived: float | None = None


class Roster(NamedTuple):
    """Legs that are sent the same packets, each under its own numbers; replaced, never changed.

    `numbers` are as `rewrite.pack_numbers` packs them, one a session.
    """

    sessions: tuple[SessionId, ...]
    numbers: tuple[bytes, ...]


class Fan(NamedTuple):
    """Packets of one track in one shape for all legs of a roster.

    The headers bear the source's numbers and no SSRC: whoever sends gives each leg its own
    (`rewrite.renumber`). `arrived` is the earliest arrival.
    """

    roster: Roster
    packets: tuple[Packet, ...]
    arrived: float


class TrackChange(StrEnum):
    """What became of a publisher's track."""

    STARTED = "started"
    STALLED = "stalled"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class TrackEvent:
    """The first packet of a track came, none came for a while, or it is gone."""

    session: SessionId
    room: RoomId
    kind: Kind
    change: TrackChange


@dataclass(frozen=True, slots=True)
class SpeakerEvent:
    """Another one speaks in a room; nobody does when `session` is None."""

    room: RoomId
    session: SessionId | None


@dataclass(frozen=True, slots=True)
class PictureEvent:
    """A viewer's path carries no picture of a slot any more, only sound; or a picture again."""

    session: SessionId
    room: RoomId
    slot: int
    is_shown: bool


StageEvent = TrackEvent | SpeakerEvent | PictureEvent


@dataclass(frozen=True, slots=True)
class Output:
    """All that follows from one call of the engine; nothing is left inside to drain.

    `fans` are in order; of a stream that is in one, `batches` hold only repairs and late packets.
    `begun` are the sessions that are sent the first packets of a stream.
    """

    batches: tuple[LegBatch, ...] = ()
    events: tuple[StageEvent, ...] = ()
    fans: tuple[Fan, ...] = ()
    begun: tuple[SessionId, ...] = ()


NOTHING = Output()
