"""What the parts need, derived from the settings of the whole."""

import ssl
from pathlib import Path

from liveroom.config import Config
from liveroom.edge.callers import GatewayLimits
from liveroom.protocol.batch import Budgets
from liveroom.protocol.limits import Rate, Rates
from sfu.config import MediaConfig, MediaLimits


def reachable(host: str) -> str:
    """Name a wildcard listener as a client on this machine would."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared with, not bound to
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def media_config(config: Config) -> MediaConfig:
    """Derive the settings of the forwarding unit."""
    limits = config.limits
    return MediaConfig(
        host=config.media.host,
        port=config.media.port,
        advertise=config.advertise,
        recordings=config.recordings,
        limits=MediaLimits(
            sessions_per_user=limits.media_sessions_per_user,
            sessions_per_address=limits.media_sessions_per_address,
            half_open_per_address=limits.handshakes_per_address,
        ),
    )


def gateway_limits(config: Config) -> GatewayLimits:
    """Derive the bounds of the websocket gateway."""
    limits = config.limits
    return GatewayLimits(
        sockets_per_user=limits.sockets_per_user,
        sockets_per_address=limits.sockets_per_address,
        accepts_per_s=limits.accepts_per_s,
        rates=Rates(
            say=Rate(limits.say_per_s, limits.say_burst),
            gift=Rate(limits.gifts_per_s, limits.gifts_per_s),
            like=Rate(limits.likes_per_s, 2 * limits.likes_per_s),
        ),
        budgets=Budgets(texts_per_s=limits.texts_per_s, high_per_s=limits.high_texts_per_s),
    )


def certificate(config: Config) -> tuple[Path, Path] | None:
    """Name the files of the certificate and its key, where there are some."""
    if config.tls_cert is None or config.tls_key is None:
        return None
    return config.tls_cert, config.tls_key


def tls_context(config: Config) -> ssl.SSLContext | None:
    """Load the certificate for listeners that speak TLS themselves."""
    files = certificate(config)
    if files is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*files)
    return context
