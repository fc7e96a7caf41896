"""How much one user or address may ask for: the settings LIVEROOM_LIMIT_*."""

from dataclasses import dataclass, field

from liveroom.config.parsing import parse_whole, setting

LIMIT_MAX = 1_000_000

_LIMIT = parse_whole(1, LIMIT_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one user or address may ask for; over a rate: `no` with `retry_ms`."""

    sockets_per_user: int = field(default=20, metadata=setting(_LIMIT, "Open websockets per user."))
    sockets_per_address: int = field(
        default=5_000, metadata=setting(_LIMIT, "Open websockets per client address.")
    )
    accepts_per_s: int = field(
        default=2_000, metadata=setting(_LIMIT, "Websockets accepted per second.")
    )
    media_sessions_per_user: int = field(
        default=200, metadata=setting(_LIMIT, "Media sessions per user.")
    )
    media_sessions_per_address: int = field(
        default=2_000, metadata=setting(_LIMIT, "Media sessions per client address.")
    )
    handshakes_per_address: int = field(
        default=200, metadata=setting(_LIMIT, "Half-open media handshakes per client address.")
    )
    say_per_s: int = field(
        default=2, metadata=setting(_LIMIT, "Lines of text per second and user.")
    )
    say_burst: int = field(default=10, metadata=setting(_LIMIT, "Lines of text in one burst."))
    texts_per_s: int = field(
        default=20, metadata=setting(_LIMIT, "Lines of text each viewer is shown per second.")
    )
    high_texts_per_s: int = field(
        default=10,
        metadata=setting(_LIMIT, "Of answers, buyers and levels: so many more per second."),
    )
    gifts_per_s: int = field(default=20, metadata=setting(_LIMIT, "Gifts per second and user."))
    likes_per_s: int = field(default=20, metadata=setting(_LIMIT, "Likes per second and user."))
