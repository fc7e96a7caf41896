"""How one setting is read: a value as given in, the checked value out, or a ValueError.

The message of the error completes the sentence "SETTING: …".
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from liveroom.bus.address import parse as parse_broker


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


def parse_text(value: object) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write a text that is not empty")
    return value.strip()


def parse_secret(value: object) -> str:
    """Read a text that is not empty, with its blanks."""
    if not isinstance(value, str) or not value:
        raise ValueError("write a text that is not empty")
    return value


def parse_names(value: object) -> tuple[str, ...]:
    """Read a comma-separated list."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError("write a comma-separated list")
    return tuple(part.strip() for part in parts if part.strip())


def parse_whole(low: int, high: int) -> Callable[[object], int]:
    """Make a reader of whole numbers from `low` to `high`."""

    def parse(value: object) -> int:
        text = str(value)
        if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
            raise ValueError(f"write a whole number from {low} to {high}")
        if len(text) > 12 or not low <= int(text) <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return int(text)

    return parse


def parse_url(*schemes: str) -> Callable[[object], str]:
    """Make a reader of addresses with one of the schemes."""

    def parse(value: object) -> str:
        given = parse_text(value)
        parts = urlsplit(given)
        if parts.scheme not in schemes or not parts.hostname:
            wanted = " or ".join(f"{scheme}://…" for scheme in schemes)
            raise ValueError(f"write an address that begins with {wanted}")
        return given.rstrip("/")

    return parse


def parse_origins(value: object) -> tuple[str, ...]:
    """Read browsers' origins, or * for all."""
    origins = tuple(origin.rstrip("/").lower() for origin in parse_names(value))
    for origin in origins:
        parts = urlsplit(origin)
        if origin != "*" and (
            parts.scheme not in ("http", "https") or not parts.hostname or parts.path
        ):
            raise ValueError("write origins such as https://shop.example, separated by commas")
    return origins


def parse_choice(*choices: str) -> Callable[[object], str]:
    """Make a reader of one of the choices."""

    def parse(value: object) -> str:
        if value not in choices:
            raise ValueError("choose one of " + ", ".join(choices))
        return str(value)

    return parse


def parse_file(value: object) -> Path:
    """Read the path of a file that is there."""
    path = Path(parse_text(value))
    if not path.is_file():
        raise ValueError("there is no such file")
    return path


def parse_path(value: object) -> Path:
    """Read a path of something that need not be there yet."""
    return Path(parse_text(value))


def parse_store(value: object) -> str:
    """Read the address of a database."""
    given = parse_text(value)
    if not given.startswith(("sqlite:///", "postgresql://")):
        raise ValueError("write sqlite:///PATH or postgresql://USER@HOST/DATABASE")
    return given


def parse_bus(value: object) -> str:
    """Read the address of a message bus."""
    given = parse_text(value)
    if given != "local:":
        parse_broker(given)
    return given


def setting(parse: Callable[[object], object], text: str, shown: str = "") -> dict[str, object]:
    """Describe a setting: its parser, its help sentence, how `--help` shows its default."""
    return {"parse": parse, "help": text, "shown": shown}
