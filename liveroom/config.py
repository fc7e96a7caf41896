"""Settings: flags, then the environment, then liveroom.toml, then defaults; one frozen Config.

Each setting is one field below with its help text and its parser; the command line, the
environment names (LIVEROOM_*) and the keys of liveroom.toml all come from these fields.
This is the only reader of the environment. What is wrong with a value is said in a sentence.
It knows nothing of what the settings do.
"""

import os
import socket
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

SECRET_BYTES_MIN = 32
"""RFC 7518 section 3.2: an HS256 key is at least as long as the hash."""

LEEWAY_S_MAX = 5
LIMIT_MAX = 1_000_000
MEDIA_WORKERS_MAX = 64
TOML_DEFAULT = Path("liveroom.toml")
ENVIRONMENT_PREFIX = "LIVEROOM_"
LIMIT_PREFIX = "limit_"


class ConfigError(ValueError):
    """The settings cannot be used; the message is one sentence per fault."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener listens; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(value: object) -> Address:
    """Read HOST:PORT, [IPv6]:PORT or :PORT (all interfaces)."""
    text = str(value)
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("put an IPv6 address into brackets, for example [::1]:8080")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise ValueError("write HOST:PORT, for example 127.0.0.1:8080")
    return Address(host or "0.0.0.0", int(port))  # noqa: S104 - asked for by leaving the host out


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write a text that is not empty")
    return value.strip()


def _secret(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("write a text that is not empty")
    return value


def _names(value: object) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError("write a comma-separated list")
    return tuple(part.strip() for part in parts if part.strip())


def _whole(low: int, high: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        text = str(value)
        if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
            raise ValueError(f"write a whole number from {low} to {high}")
        if len(text) > 12 or not low <= int(text) <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return int(text)

    return parse


def _url(*schemes: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        text = _text(value)
        parts = urlsplit(text)
        if parts.scheme not in schemes or not parts.hostname:
            wanted = " or ".join(f"{scheme}://…" for scheme in schemes)
            raise ValueError(f"write an address that begins with {wanted}")
        return text.rstrip("/")

    return parse


def _origins(value: object) -> tuple[str, ...]:
    origins = tuple(origin.rstrip("/").lower() for origin in _names(value))
    for origin in origins:
        parts = urlsplit(origin)
        if origin != "*" and (
            parts.scheme not in ("http", "https") or not parts.hostname or parts.path
        ):
            raise ValueError("write origins such as https://shop.example, separated by commas")
    return origins


def _choice(*choices: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in choices:
            raise ValueError("choose one of " + ", ".join(choices))
        return str(value)

    return parse


def _file(value: object) -> Path:
    path = Path(_text(value))
    if not path.is_file():
        raise ValueError("there is no such file")
    return path


def _store(value: object) -> str:
    text = _text(value)
    if not text.startswith(("sqlite:///", "postgresql://")):
        raise ValueError("write sqlite:///PATH or postgresql://USER@HOST/DATABASE")
    return text


def _bus(value: object) -> str:
    text = _text(value)
    if text.startswith(("redis://", "redis+cluster://", "redis+sentinel://")):
        raise ValueError("this version runs on one node with local:; Redis is not built in yet")
    if text != "local:":
        raise ValueError("write local:")
    return text


def _setting(parse: Callable[[object], object], text: str, shown: str = "") -> dict[str, object]:
    """Describe a setting: its parser, its help sentence, how `--help` shows its default."""
    return {"parse": parse, "help": text, "shown": shown}


_LIMIT = _whole(1, LIMIT_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one user or address may ask for; over a rate: `no` with `retry_ms`."""

    sockets_per_user: int = field(
        default=20, metadata=_setting(_LIMIT, "Open websockets per user.")
    )
    sockets_per_address: int = field(
        default=5_000, metadata=_setting(_LIMIT, "Open websockets per client address.")
    )
    accepts_per_s: int = field(
        default=2_000, metadata=_setting(_LIMIT, "Websockets accepted per second.")
    )
    media_sessions_per_user: int = field(
        default=200, metadata=_setting(_LIMIT, "Media sessions per user.")
    )
    media_sessions_per_address: int = field(
        default=2_000, metadata=_setting(_LIMIT, "Media sessions per client address.")
    )
    handshakes_per_address: int = field(
        default=200, metadata=_setting(_LIMIT, "Half-open media handshakes per client address.")
    )
    say_per_s: int = field(
        default=2, metadata=_setting(_LIMIT, "Lines of text per second and user.")
    )
    say_burst: int = field(default=10, metadata=_setting(_LIMIT, "Lines of text in one burst."))
    gifts_per_s: int = field(default=20, metadata=_setting(_LIMIT, "Gifts per second and user."))
    likes_per_s: int = field(default=20, metadata=_setting(_LIMIT, "Likes per second and user."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of one server, checked."""

    http: Address = field(
        default=Address("127.0.0.1", 8080),
        metadata=_setting(parse_address, "Listener of pages, REST, WHIP and WHEP."),
    )
    gateway: Address = field(
        default=Address("127.0.0.1", 8081),
        metadata=_setting(parse_address, "Listener of websockets."),
    )
    media: Address = field(
        default=Address("127.0.0.1", 8082),
        metadata=_setting(
            parse_address, "UDP listener of all WebRTC; with N workers the first of N ports."
        ),
    )
    media_workers: int = field(
        default=1, metadata=_setting(_whole(1, MEDIA_WORKERS_MAX), "Media worker processes.")
    )
    advertise: tuple[str, ...] = field(
        default=(),
        metadata=_setting(
            _names,
            "Comma-separated addresses put into media candidates.",
            "the media address; of 0.0.0.0, the interfaces'",
        ),
    )
    public_url: str | None = field(
        default=None,
        metadata=_setting(
            _url("http", "https"), "HTTP address that clients are told.", "from the listener"
        ),
    )
    gateway_url: str | None = field(
        default=None,
        metadata=_setting(
            _url("ws", "wss"), "Websocket address that clients are told.", "from the listener"
        ),
    )
    tls_cert: Path | None = field(
        default=None, metadata=_setting(_file, "Certificate chain (PEM) for HTTPS and WSS.")
    )
    tls_key: Path | None = field(
        default=None, metadata=_setting(_file, "Private key (PEM) of the certificate.")
    )
    origins: tuple[str, ...] = field(
        default=(),
        metadata=_setting(
            _origins, "Comma-separated origins that browsers may come from.", "own HTTP origin"
        ),
    )
    store: str = field(
        default="sqlite:///./liveroom.db",
        metadata=_setting(_store, "Database: sqlite:///PATH or postgresql://…"),
    )
    bus: str = field(default="local:", metadata=_setting(_bus, "Message bus: local:"))
    secret: str | None = field(
        default=None,
        repr=False,
        metadata=_setting(_secret, "HS256 key of tokens, at least 32 bytes; this or --jwks."),
    )
    jwks: str | None = field(
        default=None,
        metadata=_setting(_text, "JSON Web Key Set of the tokens' issuer: file or https address."),
    )
    issuer: str | None = field(
        default=None, metadata=_setting(_text, "Required `iss` of tokens.", "not checked")
    )
    audience: str | None = field(
        default=None, metadata=_setting(_text, "Required `aud` of tokens.", "not checked")
    )
    leeway_s: int = field(
        default=0,
        metadata=_setting(
            _whole(0, LEEWAY_S_MAX), "Tolerated clock difference of tokens, seconds."
        ),
    )
    admin_key: str | None = field(
        default=None,
        repr=False,
        metadata=_setting(_secret, "Value of header Liveroom-Admin-Key that acts as an admin."),
    )
    node: str = field(
        default_factory=socket.gethostname,
        metadata=_setting(_text, "Name of this process in logs and figures.", "host name"),
    )
    metrics: str = field(
        default="anyone",
        metadata=_setting(
            _choice("anyone", "admin", "off"), "Who may read /metrics: anyone, admin or off."
        ),
    )
    payments: str | None = field(
        default=None,
        metadata=_setting(_url("http", "https"), "Address of the payment provider.", "no payments"),
    )
    payment_secret: str | None = field(
        default=None,
        repr=False,
        metadata=_setting(_secret, "Key that signs what goes to and comes from the provider."),
    )
    log_level: str = field(
        default="info",
        metadata=_setting(
            _choice("debug", "info", "warning", "error"),
            "Least severe log line written: debug, info, warning or error.",
        ),
    )
    limits: Limits = field(default_factory=Limits)

    @property
    def tls(self) -> bool:
        """Whether the listeners speak HTTPS and WSS themselves."""
        return self.tls_cert is not None


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings: `name` as in liveroom.toml, flags and environment alike."""

    name: str
    parse: Callable[[object], object]
    help: str
    default: str

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--" + self.name.replace("_", "-")

    @property
    def environment(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()


def _row(prefix: str, source: "Field[object]") -> Setting:
    parse = source.metadata["parse"]
    shown = source.metadata["shown"]
    if not shown:
        default = None if source.default is MISSING else source.default
        shown = "none" if default is None else str(default)
    return Setting(prefix + source.name, parse, source.metadata["help"], shown)


def settings() -> tuple[Setting, ...]:
    """List every setting, limits last."""
    plain = [_row("", source) for source in fields(Config) if source.name != "limits"]
    return (*plain, *(_row(LIMIT_PREFIX, source) for source in fields(Limits)))


def _read_toml(path: Path | None) -> dict[str, object]:
    chosen = path or TOML_DEFAULT
    if not chosen.is_file():
        if path is None:
            return {}
        raise ConfigError(f"There is no settings file {path}.")
    try:
        found = tomllib.loads(chosen.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{chosen} is not valid TOML: {error}.") from error
    limits = found.pop("limits", {})
    if not isinstance(limits, dict):
        raise ConfigError(f"{chosen}: [limits] is a table.")
    found.update({LIMIT_PREFIX + name: value for name, value in limits.items()})
    known = {setting.name for setting in settings()}
    if unknown := sorted(set(found) - known):
        raise ConfigError(f"{chosen}: there is no setting {unknown[0]}; see liveroom serve --help.")
    return found


def load(
    flags: Mapping[str, object] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
    needs_keys: bool = True,
) -> Config:
    """Read all settings.

    Args:
        flags: settings by name as given on the command line; None values count as absent.
        environment: the process environment by default.
        file: a settings file that must exist; by default liveroom.toml where there is one.
        needs_keys: whether a way to check tokens is required, as it is to serve.

    Raises:
        ConfigError: with one sentence per fault.

    """
    environment = os.environ if environment is None else environment
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    from_file = _read_toml(file)
    values: dict[str, object] = {}
    faults: list[str] = []
    for setting in settings():
        if setting.name in given:
            source, raw = setting.flag, given[setting.name]
        elif environment.get(setting.environment):
            source, raw = setting.environment, environment[setting.environment]
        elif setting.name in from_file:
            source, raw = f"{setting.name} in the settings file", from_file[setting.name]
        else:
            continue
        try:
            values[setting.name] = setting.parse(raw)
        except ValueError as error:
            faults.append(f"{source}: {error}.")
    if not faults:
        config = _build(values)
        faults = _faults(config, needs_keys=needs_keys)
        if not faults:
            return config
    raise ConfigError(" ".join(faults))


def _build(values: Mapping[str, object]) -> Config:
    limits = {
        name.removeprefix(LIMIT_PREFIX): value
        for name, value in values.items()
        if name.startswith(LIMIT_PREFIX)
    }
    plain = {name: value for name, value in values.items() if not name.startswith(LIMIT_PREFIX)}
    return Config(limits=Limits(**limits), **plain)  # type: ignore[arg-type]


def _faults(config: Config, *, needs_keys: bool) -> list[str]:
    faults = []
    if needs_keys and config.secret is None and config.jwks is None:
        faults.append(
            "There is no key to check tokens with: set --secret or LIVEROOM_SECRET to at least "
            f"{SECRET_BYTES_MIN} random bytes, or --jwks."
        )
    if config.secret is not None and len(config.secret.encode()) < SECRET_BYTES_MIN:
        faults.append(f"The secret is too short: use at least {SECRET_BYTES_MIN} bytes.")
    if (config.tls_cert is None) != (config.tls_key is None):
        faults.append("TLS needs both --tls-cert and --tls-key.")
    if config.payments is not None and config.payment_secret is None:
        faults.append("--payments needs --payment-secret, the key shared with the provider.")
    if config.payment_secret is not None and len(config.payment_secret.encode()) < SECRET_BYTES_MIN:
        faults.append(f"The payment secret is too short: use at least {SECRET_BYTES_MIN} bytes.")
    return faults
