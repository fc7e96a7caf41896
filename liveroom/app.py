"""The composition root: build, wire, start, drain, stop - in that order, and nowhere else.

The only file that knows both the engagement server and the forwarding unit. Media events
come back through a queue, so that they reach the services in their order.
"""

import asyncio
import contextlib
import gc
import random
import secrets
import signal
import ssl
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import msgspec
import uvloop
from litestar import Litestar

from liveroom.bus.local import LocalBus
from liveroom.bus.port import Publication
from liveroom.config import Config
from liveroom.domain.events import BroadcastChanged
from liveroom.domain.ids import RoomId, UserId
from liveroom.edge.api.application import build_api
from liveroom.edge.api.backend import Addresses, Backend, Readiness
from liveroom.edge.callers import GatewayLimits
from liveroom.edge.demo_links import DemoLinks, demo_handler
from liveroom.edge.gateway import Gateway
from liveroom.edge.listener import Listener, bind
from liveroom.edge.origins import Origins
from liveroom.edge.pages import content_policy, page_handlers
from liveroom.edge.payments import HttpPayments
from liveroom.edge.tokens import Tokens
from liveroom.observe import JOIN_SECONDS, configure_logs, logger
from liveroom.protocol.limits import Rate, Rates
from liveroom.service.paying import NoPayments
from liveroom.service.ports import Ports
from liveroom.service.services import TICK_S, Services, build_services
from liveroom.store.database import open_store
from liveroom.store.port import Store, StoreUnusableError
from sfu.app import Media, MediaEvent
from sfu.config import MediaConfig, MediaLimits

DRAIN_S = 4.0
"""How long clients get to move elsewhere after SIGTERM before their sockets are closed."""
JWKS_WITHIN_S = 10.0
GC_THRESHOLDS = (100_000, 50, 100)
"""Objects until the youngest are looked at, and how often the older generations join in."""
ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_TIME_CHARS = 10
ID_CHANCE_CHARS = 16

_log = logger(__name__)


def now_ms() -> int:
    """Tell server time in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """Make an id that sorts by time: 50 bits of milliseconds and 80 bits of chance, base 32."""
    value = now_ms() << (5 * ID_CHANCE_CHARS) | secrets.randbits(5 * ID_CHANCE_CHARS)
    shifts = range(5 * (ID_TIME_CHARS + ID_CHANCE_CHARS - 1), -1, -5)
    return "".join(ID_ALPHABET[value >> shift & 31] for shift in shifts)


class App:
    """One liveroom process.

    Args:
        config: the checked settings.
        demo_links: the links that a demo's landing page offers.

    """

    def __init__(self, config: Config, *, demo_links: DemoLinks | None = None) -> None:
        self.config = config
        self.services: Services
        self._demo_links = demo_links
        self._ready = False
        self._bus = LocalBus()
        self._events: asyncio.Queue[MediaEvent] = asyncio.Queue()
        self._hosts: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = contextlib.AsyncExitStack()
        self._store: Store
        self._media: Media
        self._gateway: Gateway
        self._listener: Listener

    @property
    def http_url(self) -> str:
        """The HTTP origin that clients are told."""
        if self.config.public_url is not None:
            return self.config.public_url
        scheme = "https" if self.config.tls else "http"
        return f"{scheme}://{_reachable(self.config.http.host)}:{self._listener.port}"

    @property
    def gateway_url(self) -> str:
        """The websocket address that clients are told."""
        if self.config.gateway_url is not None:
            return self.config.gateway_url
        scheme = "wss" if self.config.tls else "ws"
        return f"{scheme}://{_reachable(self.config.gateway.host)}:{self._gateway.port}/v1/ws"

    async def start(self) -> None:
        """Open the store, then listen; what was opened is closed again when a step fails.

        Raises:
            StoreUnusableError: the store cannot be opened; the text says what to do.
            OSError: a listener's address is taken or not ours.

        """
        try:
            await self._start()
        except BaseException:
            await self._closing.aclose()
            raise

    async def _start(self) -> None:
        config = self.config
        bound = bind(config.http)
        self._closing.callback(bound.close)
        self._store = await open_store(config.store)
        self._closing.push_async_callback(self._store.close)
        origins = Origins(config.origins, lambda: self.http_url, config.http.host)
        await self._bus.start()
        self._closing.push_async_callback(self._bus.close)
        self._media = Media(
            _media_config(config),
            on_event=self._events.put_nowait,
            on_join_step=lambda step, seconds: JOIN_SECONDS.labels(step).observe(seconds),
            allows_origin=lambda origin: origins.allows(origin),
        )
        self.services = build_services(self._ports())
        tokens = Tokens(
            secret=config.secret,
            jwks=await _key_set(config.jwks),
            issuer=config.issuer,
            audience=config.audience,
            leeway_s=config.leeway_s,
        )
        self._gateway = Gateway(
            self.services,
            tokens,
            self._bus,
            _gateway_limits(config),
            now_ms,
            allows_origin=origins.allows,
            chance=random.random,
        )
        await self.services.start()
        self._closing.push_async_callback(self.services.stop)
        await self._media.start()
        self._closing.push_async_callback(self._media.close)
        await self._gateway.start(config.gateway.host, config.gateway.port, ssl=_tls(config))
        self._closing.push_async_callback(self._gateway.close)
        self._listener = Listener(self._api(tokens, origins), bound, _certificate(config))
        await self._listener.start()
        self._closing.push_async_callback(self._listener.stop)
        self._closing.callback(self._bus.subscribe_all(self._hear))
        self._tasks = [
            asyncio.create_task(self._tick(), name="tick"),
            asyncio.create_task(self._follow_media(), name="media-events"),
        ]
        self._closing.push_async_callback(self._cancel_tasks)
        self._ready = True
        _log.info("ready", http=self.http_url, gateway=self.gateway_url, media=self._media.port)

    async def stop(self, *, drain_s: float = 0.0) -> None:
        """Say that nobody else shall come, ask clients to move, finish, close everything."""
        self._ready = False
        if drain_s > 0:
            await self._gateway.drain(drain_s)
        await self._closing.aclose()

    def _ports(self) -> Ports:
        payments: HttpPayments | NoPayments = NoPayments()
        if self.config.payments is not None and self.config.payment_secret is not None:
            payments = HttpPayments(
                self.config.payments,
                self.config.payment_secret,
                lambda: f"{self.http_url}/v1/payments/notice",
                now_ms,
            )
            self._closing.push_async_callback(payments.close)
        return Ports(
            store=self._store,
            bus=self._bus,
            now_ms=now_ms,
            new_id=new_id,
            new_secret=lambda: secrets.token_urlsafe(24),
            payments=payments,
            online=lambda room: self._gateway.online(room),
            sessions=lambda room: self._media.sessions(room),
        )

    def _api(self, tokens: Tokens, origins: Origins) -> Litestar:
        config = self.config
        pages = page_handlers(
            lambda: content_policy(
                gateway_url=self.gateway_url, http_url=self.http_url, payments=config.payments
            )
        )
        if self._demo_links is not None:
            pages.append(demo_handler(self._demo_links))
        backend = Backend(
            services=self.services,
            tokens=tokens,
            media=self._media,
            config=config,
            addresses=lambda: Addresses(self.http_url, self.gateway_url),
            now_ms=now_ms,
            new_id=new_id,
            online=self._gateway.online,
            readiness=lambda: Readiness(ready=self._ready),
        )
        return build_api(backend, pages=pages, origins=origins)

    # What goes on while it runs.

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.services.tick()
            except Exception:
                _log.exception("tick failed")

    async def _follow_media(self) -> None:
        while True:
            event = await self._events.get()
            room, user = RoomId(event.room), UserId(event.user)
            try:
                if event.kind == "live":
                    self._hosts[event.room] = event.session
                    await self.services.rooms.host_live(room, user, event.session)
                elif event.kind == "away":
                    await self.services.rooms.host_gone(room, user, event.session)
                elif event.kind == "session_closed" and (
                    self._hosts.get(event.room) == event.session
                ):
                    del self._hosts[event.room]
            except Exception:
                _log.exception("media event failed", kind=event.kind, room=event.room)

    def _hear(self, publication: Publication) -> None:
        """Cut the host's media when their broadcast was ended."""
        for event in publication.events:
            if isinstance(event.fact, BroadcastChanged) and event.fact.phase == "ended":
                session = self._hosts.get(publication.room)
                if session is not None:
                    self._media.end_session(session, "ended")

    async def _cancel_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT, then drain and stop."""
    configure_logs(level=config.log_level)
    try:
        uvloop.run(_serve(config))
    except (StoreUnusableError, OSError, ValueError) as error:
        sys.exit(f"liveroom: {error}")


async def _serve(config: Config) -> None:
    app = App(config)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await app.start()
    _settle_memory()
    await stopped.wait()
    _log.info("draining", seconds=DRAIN_S)
    await app.stop(drain_s=DRAIN_S)


def _settle_memory() -> None:
    """Keep the collector away from what lives as long as the process, and from each packet.

    Almost everything is freed by reference counts; with default thresholds the collector ran
    in the middle of batches (about a tenth of the CPU, twice the p99 of forwarding).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _reachable(host: str) -> str:
    """Name a wildcard listener as a client on this machine would."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared with, not bound to
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _media_config(config: Config) -> MediaConfig:
    limits = config.limits
    return MediaConfig(
        host=config.media.host,
        port=config.media.port,
        advertise=config.advertise,
        limits=MediaLimits(
            sessions_per_user=limits.media_sessions_per_user,
            sessions_per_address=limits.media_sessions_per_address,
            half_open_per_address=limits.handshakes_per_address,
        ),
    )


def _gateway_limits(config: Config) -> GatewayLimits:
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
    )


def _certificate(config: Config) -> tuple[Path, Path] | None:
    if config.tls_cert is None or config.tls_key is None:
        return None
    return config.tls_cert, config.tls_key


def _tls(config: Config) -> ssl.SSLContext | None:
    files = _certificate(config)
    if files is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*files)
    return context


async def _key_set(source: str | None) -> Mapping[str, object] | None:
    """Read a JSON Web Key Set from a file or an address.

    Raises:
        ValueError: it cannot be read.

    """
    if source is None:
        return None
    try:
        if source.startswith(("https://", "http://")):
            async with httpx.AsyncClient(timeout=JWKS_WITHIN_S) as client:
                content = (await client.get(source)).raise_for_status().content
        else:
            content = await asyncio.to_thread(Path(source).read_bytes)
        return msgspec.json.decode(content, type=dict[str, object])
    except (httpx.HTTPError, OSError, msgspec.DecodeError) as error:
        raise ValueError(f"The key set {source} cannot be read: {error}.") from error
