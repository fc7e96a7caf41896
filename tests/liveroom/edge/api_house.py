"""What the API tests share: the real app over real services on SQLite, and a small media fake."""

import asyncio
import itertools
import tempfile
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from litestar import Litestar

from liveroom.bus.local import LocalBus
from liveroom.config import Config
from liveroom.domain.actors import Actor, AgeBand, Role
from liveroom.domain.ids import OrderId, RoomId, TenantId, UserId
from liveroom.domain.refusals import Refused
from liveroom.edge.api.application import build_api
from liveroom.edge.api.backend import Addresses, Backend, Readiness
from liveroom.edge.pages import content_policy, page_handlers
from liveroom.edge.replay_links import ReplayLinks
from liveroom.edge.tokens import Tokens
from liveroom.service.paying import Payment
from liveroom.service.ports import Ports
from liveroom.service.services import Services, build_services
from liveroom.store.database import open_store, upgrade

SECRET = "a secret of the tests, long enough for HS256"
ADMIN_KEY = "the admin key of the tests"
PAYMENT_SECRET = "the key shared with the payment provider"
START_MS = 1_800_000_000_000
HTTP_URL = "http://127.0.0.1:8080"
GATEWAY_URL = "ws://127.0.0.1:8081/v1/ws"

SESSION_REPORT: dict[str, Any] = {
    "id": "s",
    "direction": "play",
    "user": "ann",
    "role": "viewer",
    "state": "connected",
    "age_s": 1.5,
    "silent_s": 0.5,
    "pair": {"local": "127.0.0.1:8082", "remote": "198.51.100.7:5000"},
    "rtt_ms": 20.0,
    "allowed_bps": None,
    "streams": [],
}
ROOM_REPORT: dict[str, Any] = {
    "forward": {"p50_ms": 0.1, "p99_ms": 0.4, "samples": 12},
    "totals": {
        **dict.fromkeys(("publishers", "viewers", "legs", "packets_out", "repairs"), 1),
        **dict.fromkeys(("bitrate_in_bps", "bitrate_out_bps", "nacks", "keyframe_requests"), 2),
        "loss": 0.01,
        "layers": {"only": 1},
    },
    "left_off": 0,
}


@dataclass
class Reply:
    """A media core's answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class FakeMedia:
    """A media core that notes what it is asked."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    recordings: Path | None = None
    answer: Reply = field(
        default_factory=lambda: Reply(
            201,
            {"Content-Type": "application/sdp", "Location": "/v1/rooms/r/whip/s", "ETag": '"e"'},
            b"v=0\r\n",
        )
    )

    async def whip(self, **request: Any) -> Reply:
        self.asked.append({"kind": "whip"} | request)
        return self.answer

    async def whep(self, **request: Any) -> Reply:
        self.asked.append({"kind": "whep"} | request)
        return self.answer

    async def room_report(self, room: str, *, limit: int) -> dict[str, Any]:
        return ROOM_REPORT | {"sessions": [SESSION_REPORT][:limit]}

    async def picture(self, room: str) -> bytes | None:
        return self.pictures.get(room)

    async def cut(self, source: str, target: str, *, from_s: float, to_s: float) -> float:
        self.asked.append({"kind": "cut", "method": "", "source": source, "part": (from_s, to_s)})
        if self.recordings is None:
            return 0.0
        content = (self.recordings / source).read_bytes()
        (self.recordings / target).write_bytes(content + b"part")
        return to_s - from_s

    async def session_report(self, room: str, session: str) -> dict[str, Any] | None:
        return SESSION_REPORT if session == SESSION_REPORT["id"] else None


@dataclass
class FakePayments:
    """A provider that opens every payment, or none."""

    works: bool = True
    opened: list[tuple[str, int]] = field(default_factory=list)

    refunds: dict[str, tuple[str, int]] = field(default_factory=dict)

    async def create(self, order: OrderId, amount: int, title: str) -> Payment:
        if not self.works:
            raise Refused("unavailable", "The payment provider does not answer; try again.")
        self.opened.append((order, amount))
        return Payment(id=f"pay-{order}", pay_url=f"http://127.0.0.1:9/pay/{order}")

    async def refund(self, refund: str, payment: str, amount: int) -> None:
        self.refunds[refund] = (payment, amount)


@dataclass
class House:
    """One server in this process, asked over ASGI."""

    app: Litestar
    http: httpx.AsyncClient
    services: Services
    tokens: Tokens
    media: FakeMedia
    payments: FakePayments
    clock: list[int]
    readiness: list[Readiness]
    ids: "itertools.count[int]" = field(default_factory=itertools.count)

    def token(
        self,
        role: str = "viewer",
        *,
        user: str = "ann",
        room: str = "*",
        merchant: str | None = None,
        ttl_s: int = 3600,
        age_band: str | None = "adult",
        name: str | None = None,
    ) -> str:
        """Sign a token."""
        actor = Actor(
            user=UserId(user),
            role=Role(role),
            room=RoomId(room),
            tenant=None if merchant is None else TenantId(merchant),
            age_band=None if age_band is None else AgeBand(age_band),
            name=name,
        )
        return self.tokens.sign(actor, at=self.clock[0] / 1000, ttl_s=ttl_s)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        key: str | None = None,
        **kwargs: Any,
    ) -> httpx.Response:
        """Ask the API."""
        headers = dict(kwargs.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self.http.request(method, path, headers=headers, **kwargs)

    async def good(self, method: str, path: str, **kwargs: Any) -> Any:
        """Ask as an admin unless a token is given, and insist on success."""
        if "token" not in kwargs:
            kwargs["headers"] = {"Liveroom-Admin-Key": ADMIN_KEY} | kwargs.get("headers", {})
        answer = await self.ask(method, path, **kwargs)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json()

    async def refused(self, method: str, path: str, **kwargs: Any) -> str:
        """Insist on a whole problem document and return its code."""
        answer = await self.ask(method, path, **kwargs)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["detail"].endswith("."), problem
        assert problem["title"]
        assert problem["type"] == f"/docs#{problem['code']}"
        return f"{answer.status_code} {problem['code']}"

    async def room(self, room: str, **fields: Any) -> str:
        """Create a room."""
        await self.good("POST", "/v1/rooms", json={"id": room, "title": room, **fields})
        return room

    async def go_live(self, room: str, user: str = "host", session: str = "s-host") -> None:
        """Let a host's media flow."""
        await self.services.rooms.host_live(RoomId(room), UserId(user), session)

    async def seat(self, room: str, user: str, slot: int = 1) -> None:
        """Give somebody a seat on a room's stage."""
        await self.go_live(room)
        host = Actor(user=UserId("host"), role=Role.HOST, room=RoomId(room))
        await self.services.staging.place(host, RoomId(room), slot, UserId(user))

    async def member(self, user: str, *, merchant: str = "default", **fields: Any) -> str:
        """Import an adult member."""
        await self.good(
            "POST",
            "/v1/members",
            json={"id": user, "age_band": "adult", **fields},
            key=f"member-{user}",
            headers={"Liveroom-Merchant": merchant},
        )
        return user


@cache
def _template() -> bytes:
    """Keep a migrated, empty database, so that each test starts from a copy."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        runner = threading.Thread(target=lambda: asyncio.run(upgrade(f"sqlite:///{path}")))
        runner.start()
        runner.join()
        return path.read_bytes()


@asynccontextmanager
async def open_house(
    folder: Path, dist: Path | None = None, **settings: Any
) -> AsyncIterator[House]:
    """Build everything but sockets, and take it down again."""
    clock = [START_MS]
    ids = itertools.count(1)
    new_id = lambda: f"id{next(ids):08d}"  # noqa: E731
    (folder / "liveroom.db").write_bytes(_template())
    store = await open_store(f"sqlite:///{folder / 'liveroom.db'}")
    bus, media, payments = LocalBus(), FakeMedia(), FakePayments()
    services = build_services(
        Ports(
            store=store,
            bus=bus,
            now_ms=lambda: clock[0],
            new_id=new_id,
            new_secret=lambda: f"secret-of-128-bits-{next(ids):08d}",
            payments=payments,
        )
    )
    await services.start()
    tokens = Tokens(secret=SECRET)
    readiness = [Readiness(ready=True)]
    config = Config(
        **({"secret": SECRET, "admin_key": ADMIN_KEY, "payment_secret": PAYMENT_SECRET} | settings)
    )
    media.recordings = config.recordings
    backend = Backend(
        services=services,
        tokens=tokens,
        media=media,
        config=config,
        addresses=lambda: Addresses(HTTP_URL, GATEWAY_URL),
        now_ms=lambda: clock[0],
        new_id=new_id,
        online=lambda room: 3,
        replay_links=ReplayLinks(config),
        readiness=lambda: readiness[0],
    )
    pages = page_handlers(
        lambda: content_policy(gateway_url=GATEWAY_URL, http_url=HTTP_URL, payments=None),
        origin=lambda: HTTP_URL,
        dist=dist or folder / "no-dist",
    )
    app = build_api(backend, pages=pages)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=HTTP_URL) as http:
        yield House(
            app=app,
            http=http,
            services=services,
            tokens=tokens,
            media=media,
            payments=payments,
            clock=clock,
            readiness=readiness,
        )
    await services.stop()
    await store.close()
