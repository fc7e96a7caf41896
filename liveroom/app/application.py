"""The composition root: build, wire, start, drain, stop - in that order, and nowhere else.

The only file that knows both the engagement server and the forwarding unit. Media events
come back through a queue, so that they reach the services in their order.
"""

import asyncio
import contextlib
import gc
import multiprocessing
import random
import secrets
import signal
import sys

import uvloop
from litestar import Litestar

from liveroom.app.buses import build_bus, join_company
from liveroom.app.derived import certificate, gateway_limits, media_config, reachable, tls_context
from liveroom.app.following import Following
from liveroom.app.hosting import Hosting
from liveroom.app.identity import new_id, now_ms
from liveroom.app.key_set import read_key_set
from liveroom.app.recording import Recording
from liveroom.app.workers import living_workers, supervise
from liveroom.bus.company import Mine
from liveroom.bus.port import Bus, Company, Share
from liveroom.config import Config
from liveroom.domain.actors import Actor
from liveroom.domain.ids import RoomId
from liveroom.domain.refusals import Refused
from liveroom.edge.api.application import build_api
from liveroom.edge.api.backend import Addresses, Backend, Readiness
from liveroom.edge.demo_links import DemoLinks, demo_handler
from liveroom.edge.gateway import Gateway
from liveroom.edge.listener import Listener, bind
from liveroom.edge.origins import Origins
from liveroom.edge.pages import content_policy, page_handlers
from liveroom.edge.payments import HttpPayments
from liveroom.edge.replay_links import ReplayLinks
from liveroom.edge.revoking import Revoking
from liveroom.edge.tokens import Tokens
from liveroom.edge.webhook_sender import WebhookSender
from liveroom.observe import JOIN_SECONDS, configure_logs, logger
from liveroom.service.paying import NoPayments
from liveroom.service.ports import GuestPass, Ports
from liveroom.service.services import TICK_S, Services, build_services
from liveroom.store.database import open_store
from liveroom.store.port import Store, StoreUnusableError
from sfu.app import Media

DRAIN_S = 4.0
"""How long clients get to move elsewhere after SIGTERM before their sockets are closed."""
GUEST_TTL_S = 6 * 60 * 60
"""How long a guest may publish with the token that comes with a seat, or come back with it."""
GC_THRESHOLDS = (100_000, 50, 100)
"""Objects until the youngest are looked at, and how often the older generations join in."""
SWITCH_INTERVAL_S = 0.0005
"""How long the store's thread may keep the interpreter from packets that wait for it."""

_log = logger(__name__)


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
        self._serving = False
        self._complete = config.workers == 1
        self._bus: Bus
        self._company: Company
        self._hosting: Hosting
        self._http_port = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = contextlib.AsyncExitStack()
        self._store: Store
        self._media: Media
        self._following: Following
        self._gateway: Gateway
        self._listener: Listener
        self._revoking: Revoking

    @property
    def http_url(self) -> str:
        """The HTTP origin that clients are told."""
        if self.config.public_url is not None:
            return self.config.public_url
        scheme = "https" if self.config.tls else "http"
        return f"{scheme}://{reachable(self.config.http.host)}:{self._http_port}"

    @property
    def gateway_url(self) -> str:
        """The websocket address that clients are told."""
        if self.config.gateway_url is not None:
            return self.config.gateway_url
        scheme = "wss" if self.config.tls else "ws"
        return f"{scheme}://{reachable(self.config.gateway.host)}:{self._gateway.port}/v1/ws"

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
        self._http_port = bound.getsockname()[1]
        self._store = await open_store(config.store)
        self._closing.push_async_callback(self._store.close)
        origins = Origins(config.origins, lambda: self.http_url, config.http.host)
        self._bus = build_bus(config, self._store)
        await self._bus.start()
        self._closing.push_async_callback(self._bus.close)
        self._media = Media(
            media_config(config),
            on_event=lambda event: self._following.take(event),
            on_join_step=lambda step, seconds: JOIN_SECONDS.labels(step).observe(seconds),
            allows_origin=lambda origin: origins.allows(origin),
        )
        mine = Mine(
            url=lambda: self.http_url,
            shares=self._shares,
            changed=lambda rooms: self._gateway.recount(rooms) if self._serving else None,
            lost=lambda room, session: self._hosting.lost(room, session),
        )
        self._company = await join_company(self._bus, mine, self._closing)
        self._hosting = Hosting(self._bus, self._company, self._media.end_session)
        tokens = Tokens(
            secret=config.secret,
            jwks=await read_key_set(config.jwks),
            issuer=config.issuer,
            audience=config.audience,
            leeway_s=config.leeway_s,
        )
        self.services = build_services(self._ports(tokens))
        recording = Recording(self._media, self.services.replays, config.recordings, now_ms, new_id)
        self._following = Following(self.services, self._hosting, recording)
        self._gateway = Gateway(
            self.services,
            tokens,
            self._bus,
            gateway_limits(config),
            now_ms,
            allows_origin=origins.allows,
            chance=random.random,
            company=self._company,
        )
        await self.services.start()
        self._closing.push_async_callback(self.services.stop)
        await self._media.start()
        self._closing.push_async_callback(self._media.close)
        await self._gateway.start(
            config.gateway.host,
            config.gateway.port,
            ssl=tls_context(config),
            shared=config.workers > 1,
        )
        self._closing.push_async_callback(self._gateway.close)
        self._listener = Listener(self._api(tokens, origins), bound, certificate(config))
        await self._listener.start()
        self._closing.push_async_callback(self._listener.stop)
        self._closing.callback(self._gateway.end_streams)
        self._revoking = Revoking(
            self._gateway.disconnect,
            self._media.end_user,
            self.services.moderating.fresh,
            now_ms,
        )
        self._closing.callback(self._bus.subscribe_all(self._revoking.hear))
        self._closing.callback(self._bus.subscribe_all(self._following.hear))
        self._tasks = [
            asyncio.create_task(self._tick(), name="tick"),
            asyncio.create_task(self._following.run(), name="media-news"),
        ]
        self._closing.push_async_callback(self._cancel_tasks)
        self._ready = self._serving = True
        _log.info("ready", http=self.http_url, gateway=self.gateway_url, media=self._media.port)

    async def stop(self, *, drain_s: float = 0.0) -> None:
        """Say that nobody else shall come, ask clients to move, finish, close everything."""
        self._ready = False
        if drain_s > 0:
            await self._gateway.drain(drain_s)
        await self._closing.aclose()

    def _ports(self, tokens: Tokens) -> Ports:
        payments: HttpPayments | NoPayments = NoPayments()
        if self.config.payments is not None and self.config.payment_secret is not None:
            payments = HttpPayments(
                self.config.payments,
                self.config.payment_secret,
                lambda: f"{self.http_url}/v1/payments/notice",
                now_ms,
            )
            self._closing.push_async_callback(payments.close)
        sender: WebhookSender | None = None
        if self.config.webhooks != "off":
            sender = WebhookSender(now_ms, private_allowed=self.config.webhooks == "private")
            self._closing.push_async_callback(sender.close)
        return Ports(
            store=self._store,
            bus=self._bus,
            now_ms=now_ms,
            new_id=new_id,
            new_secret=lambda: secrets.token_urlsafe(24),
            payments=payments,
            webhooks=sender,
            private_webhooks=self.config.webhooks == "private",
            chance=random.random,
            online=lambda room: self._gateway.online(room),
            sessions=lambda room: self._media.sessions(room),
            media=self._media,
            guest_pass=lambda guest: self._guest_pass(tokens, guest),
            node=self.config.node,
            company=self._company,
        )

    def _guest_pass(self, tokens: Tokens, guest: Actor) -> GuestPass:
        """Make what a guest publishes with; the token is missing where only the shop can sign."""
        origin = self._company.origin_of(guest.room) or self.http_url
        whip_url = f"{origin}/v1/rooms/{guest.room}/whip"
        try:
            token = tokens.sign(guest, at=now_ms() / 1000, ttl_s=GUEST_TTL_S)
        except Refused:
            return GuestPass(whip_url, None)
        return GuestPass(whip_url, token)

    def _api(self, tokens: Tokens, origins: Origins) -> Litestar:
        config = self.config
        pages = page_handlers(
            lambda: content_policy(
                gateway_url=self.gateway_url,
                http_url=self.http_url,
                payments=config.payments,
                nodes=self._company.origins(),
            ),
            origin=lambda: self.http_url,
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
            streams=self._gateway,
            replay_links=ReplayLinks(config),
            readiness=self._readiness,
            company=self._company,
        )
        return build_api(backend, pages=pages, origins=origins)

    def _shares(self) -> dict[RoomId, Share]:
        """Tell what this process has of each room; nothing before it serves any."""
        if not self._serving:
            return {}
        talking = self.services.talking
        return {
            room: Share(
                self._gateway.here(room), self._media.sessions(room), talking.messages_per_s(room)
            )
            for room in self._gateway.watched()
        }

    def _readiness(self) -> Readiness:
        """Want traffic also without the other nodes: the store feeds what they would tell."""
        bus = "degraded" if self._bus.is_degraded else "ok"
        parts = {"bus": bus, "nodes": str(max(1, len(self._company.peers())))}
        if self.config.workers > 1:
            living = living_workers(self.config.node, self._company.peers())
            parts["workers"] = f"{living}/{self.config.workers}"
            # Once all were there, one that is being restarted takes nobody's traffic away.
            self._complete = self._complete or living >= self.config.workers
        return Readiness(ready=self._ready and self._complete, parts=parts)

    # What goes on while it runs.

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.services.tick()
                await self._revoking.look()
            except Exception:
                _log.exception("tick failed")

    async def _cancel_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT, then drain and stop."""
    if config.workers == 1:
        serve_one(config)
        return
    configure_logs(level=config.log_level)
    try:
        status = supervise(config, serve_one)
    except OSError as error:
        sys.exit(f"liveroom: {error}")
    if status:
        sys.exit(status)


def serve_one(config: Config) -> None:
    """Serve in this process."""
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
    if (supervisor := multiprocessing.parent_process()) is not None:
        loop.add_reader(supervisor.sentinel, stopped.set)  # nobody would stop us later
    await app.start()
    settle_memory()
    # Each call into the kernel gives the lock away; by default it is back after 5 ms at worst.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    await stopped.wait()
    if supervisor is not None:
        loop.remove_reader(supervisor.sentinel)
    _log.info("draining", seconds=DRAIN_S)
    await app.stop(drain_s=DRAIN_S)


def settle_memory() -> None:
    """Keep the collector away from what lives as long as the process, and from each packet.

    Almost everything is freed by reference counts; with default thresholds the collector ran
    in the middle of batches (about a tenth of the CPU, twice the p99 of forwarding).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
