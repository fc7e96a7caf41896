"""All settings of one server: one field each, with its help text and its parser.

The command line, the environment names (LIVEROOM_*) and the keys of liveroom.toml all come
from these fields. Nothing here knows what the settings do.
"""

import socket
from dataclasses import dataclass, field
from pathlib import Path

from liveroom.config.limits import Limits
from liveroom.config.parsing import (
    Address,
    parse_address,
    parse_bus,
    parse_choice,
    parse_file,
    parse_names,
    parse_origins,
    parse_path,
    parse_secret,
    parse_store,
    parse_text,
    parse_url,
    parse_whole,
    setting,
)

LEEWAY_S_MAX = 5
MEDIA_WORKERS_MAX = 64
WORKERS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of one server, checked."""

    http: Address = field(
        default=Address("127.0.0.1", 8080),
        metadata=setting(parse_address, "Listener of pages, REST, WHIP and WHEP."),
    )
    gateway: Address = field(
        default=Address("127.0.0.1", 8081),
        metadata=setting(parse_address, "Listener of websockets."),
    )
    workers: int = field(
        default=1,
        metadata=setting(
            parse_whole(1, WORKERS_MAX),
            "Processes that share the websockets; more than one need PostgreSQL and Redis.",
        ),
    )
    media: Address = field(
        default=Address("127.0.0.1", 8082),
        metadata=setting(
            parse_address, "UDP listener of all WebRTC; with N workers the first of N ports."
        ),
    )
    media_workers: int = field(
        default=1, metadata=setting(parse_whole(1, MEDIA_WORKERS_MAX), "Media worker processes.")
    )
    advertise: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            parse_names,
            "Comma-separated addresses put into media candidates.",
            "the media address; of 0.0.0.0, the interfaces'",
        ),
    )
    public_url: str | None = field(
        default=None,
        metadata=setting(
            parse_url("http", "https"), "HTTP address that clients are told.", "from the listener"
        ),
    )
    gateway_url: str | None = field(
        default=None,
        metadata=setting(
            parse_url("ws", "wss"), "Websocket address that clients are told.", "from the listener"
        ),
    )
    tls_cert: Path | None = field(
        default=None, metadata=setting(parse_file, "Certificate chain (PEM) for HTTPS and WSS.")
    )
    tls_key: Path | None = field(
        default=None, metadata=setting(parse_file, "Private key (PEM) of the certificate.")
    )
    origins: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            parse_origins, "Comma-separated origins that browsers may come from.", "own HTTP origin"
        ),
    )
    store: str = field(
        default="sqlite:///./liveroom.db",
        metadata=setting(parse_store, "Database: sqlite:///PATH or postgresql://…"),
    )
    bus: str = field(
        default="local:",
        metadata=setting(
            parse_bus,
            "Message bus: local:, or for several nodes redis://HOST, "
            "redis+sentinel://HOST,HOST/MASTER or redis+cluster://HOST,HOST.",
        ),
    )
    secret: str | None = field(
        default=None,
        repr=False,
        metadata=setting(parse_secret, "HS256 key of tokens, at least 32 bytes; this or --jwks."),
    )
    jwks: str | None = field(
        default=None,
        metadata=setting(
            parse_text, "JSON Web Key Set of the tokens' issuer: file or https address."
        ),
    )
    issuer: str | None = field(
        default=None, metadata=setting(parse_text, "Required `iss` of tokens.", "not checked")
    )
    audience: str | None = field(
        default=None, metadata=setting(parse_text, "Required `aud` of tokens.", "not checked")
    )
    leeway_s: int = field(
        default=0,
        metadata=setting(
            parse_whole(0, LEEWAY_S_MAX), "Tolerated clock difference of tokens, seconds."
        ),
    )
    admin_key: str | None = field(
        default=None,
        repr=False,
        metadata=setting(parse_secret, "Value of header Liveroom-Admin-Key that acts as an admin."),
    )
    node: str = field(
        default_factory=socket.gethostname,
        metadata=setting(parse_text, "Name of this process in logs and figures.", "host name"),
    )
    metrics: str = field(
        default="anyone",
        metadata=setting(
            parse_choice("anyone", "admin", "off"), "Who may read /metrics: anyone, admin or off."
        ),
    )
    payments: str | None = field(
        default=None,
        metadata=setting(
            parse_url("http", "https"), "Address of the payment provider.", "no payments"
        ),
    )
    payment_secret: str | None = field(
        default=None,
        repr=False,
        metadata=setting(parse_secret, "Key that signs what goes to and comes from the provider."),
    )
    webhooks: str = field(
        default="public",
        metadata=setting(
            parse_choice("public", "private", "off"),
            "Where webhooks may go: public (https, no address inside), private (anywhere) or off.",
        ),
    )
    notice_secret: str | None = field(
        default=None,
        repr=False,
        metadata=setting(parse_secret, "Key that signs shipment notices of warehouse or courier."),
    )
    log_level: str = field(
        default="info",
        metadata=setting(
            parse_choice("debug", "info", "warning", "error"),
            "Least severe log line written: debug, info, warning or error.",
        ),
    )
    recordings: Path | None = field(
        default=None,
        metadata=setting(
            parse_path, "Folder where each broadcast is recorded.", "nothing is recorded"
        ),
    )
    limits: Limits = field(default_factory=Limits)

    @property
    def tls(self) -> bool:
        """Whether the listeners speak HTTPS and WSS themselves."""
        return self.tls_cert is not None
