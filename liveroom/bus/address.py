"""Where a broker is: the `--bus` address, taken apart.

    redis://[USER:PASSWORD@]HOST[:PORT][/DB]
    redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]…/MASTER[/DB]
    redis+cluster://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]…

each with `?tls=1` for TLS and `?prefix=NAME` to share a broker between installations.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, unquote

REDIS_PORT: Final = 6379
SENTINEL_PORT: Final = 26379
PREFIX: Final = "liveroom"


class Kind(StrEnum):
    """How many servers there are and who knows which of them to ask."""

    SINGLE = "redis"
    SENTINEL = "redis+sentinel"
    CLUSTER = "redis+cluster"


@dataclass(frozen=True, slots=True)
class Server:
    """One Redis server."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BusAddress:
    """A broker's address; `servers` are the first to ask, `master` is Sentinel's name for it."""

    kind: Kind
    servers: tuple[Server, ...]
    master: str | None = None
    database: int = 0
    user: str | None = None
    password: str | None = None
    tls: bool = False
    prefix: str = PREFIX

    def __str__(self) -> str:
        tail = f"/{self.master}" if self.master else ""
        return f"{self.kind}://{','.join(map(str, self.servers))}{tail}"


def parse(text: str) -> BusAddress:
    """Take an address apart.

    Raises:
        ValueError: a sentence that completes "--bus: …".

    """
    scheme, mark, rest = text.partition("://")
    if not mark or scheme not in set(Kind):
        raise ValueError("write local:, redis://…, redis+sentinel://… or redis+cluster://…")
    kind = Kind(scheme)
    rest, _, query = rest.partition("?")
    before, _, path = rest.partition("/")
    credentials, _, hosts = before.rpartition("@")
    port = SENTINEL_PORT if kind is Kind.SENTINEL else REDIS_PORT
    servers = tuple(_server(one.strip(), port) for one in hosts.split(",") if one.strip())
    if not servers or (kind is Kind.SINGLE and len(servers) > 1):
        raise ValueError("name the host, for example redis://127.0.0.1:6379")
    parts = [part for part in path.split("/") if part]
    master = None
    if kind is Kind.SENTINEL:
        if not parts:
            raise ValueError("name Sentinel's master: redis+sentinel://HOST:26379/MASTER")
        master = parts.pop(0)
    user, _, password = credentials.partition(":")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(set(options) - {"tls", "prefix"}):
        raise ValueError(f"the bus knows no option {unknown[0]}; there are tls and prefix")
    return BusAddress(
        kind=kind,
        servers=servers,
        master=master,
        database=_database(kind, parts),
        user=unquote(user) or None,
        password=unquote(password) or None,
        tls=options.get("tls", "0") not in ("", "0", "false", "no"),
        prefix=options.get("prefix") or PREFIX,
    )


def _server(text: str, port: int) -> Server:
    host, colon, given = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, given = text, str(port)
    if not host or not given.isdigit() or not 0 < int(given) < 65_536:
        raise ValueError(f"{text} is not HOST:PORT")
    return Server(host.strip("[]"), int(given))


def _database(kind: Kind, parts: list[str]) -> int:
    if not parts:
        return 0
    if kind is Kind.CLUSTER:
        raise ValueError("a cluster has no database numbers: leave out what follows the hosts")
    if len(parts) > 1 or not parts[0].isdigit():
        raise ValueError("the last part of the address is the number of a database")
    return int(parts[0])
