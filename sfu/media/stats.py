"""What the engine counted: frozen values for shells that draw or export them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayStats:
    """What became of viewers that joined in the middle.

    `fallbacks` maps why a key frame was asked for instead of, or besides, a replay to how often.
    """

    started: int = 0
    packets: int = 0
    fallbacks: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStats:
    """Totals since the engine was made, and sizes now.

    `bytes_out` counts media payload, resends not included; the wire's bytes are the fan-out's
    to count. `dropped` maps a reason to a count: every packet that came in and was not used.
    """

    packets_in: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    bytes_out: int = 0
    repairs_out: int = 0
    repairs_refused: int = 0
    recovered_in: int = 0
    nacks_asked: int = 0
    keyframes_asked: int = 0
    replays: ReplayStats = field(default_factory=ReplayStats)
    dropped: dict[str, int] = field(default_factory=dict)
    publishers: int = 0
    viewers: int = 0
    tracks: int = 0
    legs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackStats:
    """One received stream of a publisher."""

    mid: str
    kind: str
    codec: str | None
    ssrc: int | None
    packets: int
    bytes: int
    lost: int
    recovered: int
    jitter_s: float
    keyframes: int
    keyframes_asked: int
    nacks_asked: int
    layer: str | None = None
    """The rid, None where the m-line has one stream only."""
    bitrate_bps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LegStats:
    """One stream to a viewer; loss and jitter as the viewer reported them last."""

    mid: str
    kind: str
    slot: int
    ssrc: int
    packets: int
    bytes: int
    repairs: int
    unmatched: int
    lost: int
    fraction_lost: float
    jitter_s: float
    codec: str | None = None
    layer: str | None = None
    """The simulcast layer on its way, None where the source has only one."""
    bitrate_bps: int = 0
    nacks: int = 0
    """Numbers the viewer asked to be sent again."""
    keyframes_wanted: int = 0
    """Key frame requests of the viewer (PLI and FIR)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStats:
    """One session: a publisher's tracks or a viewer's legs."""

    connected: bool
    suspended: bool
    rtt_s: float | None
    remb_bps: int | None
    tracks: tuple[TrackStats, ...] = ()
    legs: tuple[LegStats, ...] = ()
