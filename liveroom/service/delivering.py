"""Delivers events to the shops' endpoints: from the journal to pages, from pages to targets.

One task for each endpoint that has something to do, so that a slow target keeps nobody else
waiting. Every step is a transaction: cursor and page together, then a lease on a page while it
is sent, then its end. A crash in between sends a page again, never skips one.
"""

import asyncio
from typing import Final

from liveroom.bus.port import Publication
from liveroom.domain.ids import TenantId
from liveroom.domain.refusals import Refused
from liveroom.domain.webhooks import (
    EVENTS_PER_PAGE,
    GONE,
    Endpoint,
    open_for_ms,
    retry_after_ms,
)
from liveroom.observe import logger
from liveroom.service.hooks import Outcome, write_page
from liveroom.service.ports import Ports
from liveroom.store import journal, webhooks
from liveroom.store.port import Transaction
from liveroom.store.webhooks import Page

LOOK_EVERY_S: Final = 1.0
"""How often endpoints are looked at when no news comes by: retries, other nodes' events."""
LEASE_MS: Final = 30_000
"""A page being sent is nobody else's for so long; longer than a target may take."""
AT_ONCE_MAX: Final = 16
"""Endpoints that are sent to at the same time."""
STOP_S_MAX: Final = 6.0

_log = logger(__name__)


class Delivering:
    """Runs the deliveries of this process."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._sender = ports.webhooks
        self._chance = ports.chance
        self._woken = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE_MAX)
        self._working: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None

    def hear(self, publication: Publication) -> None:
        """Look soon: something durable happened."""
        if any(event.n is not None or event.pn is not None for event in publication.events):
            self._woken.set()

    async def start(self) -> None:
        """Begin, where there is a way to send."""
        if self._sender is not None:
            self._task = asyncio.create_task(self._run(), name="webhooks")

    async def stop(self) -> None:
        """End what is under way; a page that is cut off is sent again."""
        tasks = [task for task in (self._task, *self._working.values()) if task is not None]
        if self._task is not None:
            self._task.cancel()
        if tasks:
            _done, late = await asyncio.wait(tasks, timeout=STOP_S_MAX)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self.look()
            except Refused as refused:
                _log.warning("webhooks put off", why=refused.why)
            except Exception:
                _log.exception("webhooks failed")
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Begin work for every endpoint that may be sent to and is not being worked for."""
        at = self._ports.now_ms()
        for endpoint in await self._ports.store.run(lambda tx: webhooks.ready(tx, at=at)):
            key = (endpoint.tenant, endpoint.id)
            if key not in self._working:
                task = asyncio.create_task(self._work(key), name=f"webhook-{endpoint.id}")
                self._working[key] = task

    async def settle(self) -> None:
        """Wait until nobody is being worked for."""
        while self._working:
            await asyncio.wait(self._working.values())

    async def _work(self, key: tuple[str, str]) -> None:
        try:
            async with self._slots:
                while await self._step(TenantId(key[0]), key[1]):
                    pass
        except Refused as refused:
            _log.warning("webhook put off", endpoint=key[1], why=refused.why)
        except Exception:
            _log.exception("webhook failed", endpoint=key[1])
        finally:
            del self._working[key]

    async def _step(self, tenant: TenantId, id: str) -> bool:
        """Fill pages, send one; False when there is nothing to do now."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> tuple[Endpoint, Page | None] | None:
            endpoint = webhooks.find(tx, tenant, id, lock=True)
            if endpoint is None or endpoint.paused or endpoint.open_until > at:
                return None
            self._fill(tx, endpoint, at)
            return endpoint, webhooks.claim(tx, endpoint, at=at, lease_ms=LEASE_MS)

        claimed = await self._ports.store.run(command)
        if claimed is None or claimed[1] is None:
            return False
        endpoint, page = claimed
        assert self._sender is not None
        assert page is not None
        outcome = await self._sender.send(endpoint, id=page.id, body=page.body.encode())
        await self._note(endpoint, page, outcome)
        return outcome.arrived

    def _fill(self, tx: Transaction, endpoint: Endpoint, at: int) -> None:
        """Make pages of what happened since, and move the cursors with them."""
        for room, come in webhooks.behind(tx, endpoint):
            found = journal.since(tx, TenantId(endpoint.tenant), room, come, limit=EVENTS_PER_PAGE)
            if not found:
                continue
            wanted = [event for event in found if endpoint.wants(event.fact.KIND)]
            if wanted:
                write_page(tx, endpoint, room, wanted, id=self._ports.new_id(), at=at)
            last = found[-1].n
            assert last is not None
            webhooks.advance(tx, endpoint, room, last)

    async def _note(self, endpoint: Endpoint, page: Page, outcome: Outcome) -> None:
        at = self._ports.now_ms()
        tenant = TenantId(endpoint.tenant)
        if outcome.arrived:
            await self._ports.store.run(lambda tx: webhooks.delivered(tx, endpoint, page))
            return
        wait_ms = retry_after_ms(page.attempts + 1, chance=self._chance())
        failures = endpoint.failures + 1
        values: dict[str, object] = {
            "failures": failures,
            "open_until": at + open_for_ms(failures, chance=self._chance()),
            "paused": outcome.status == GONE,
        }
        due_at = None if wait_ms is None else at + wait_ms
        why = outcome.why or f"status {outcome.status}"

        def command(tx: Transaction) -> None:
            webhooks.failed(tx, page, due_at=due_at, why=why)
            webhooks.change(tx, tenant, endpoint.id, values)

        await self._ports.store.run(command)
        _log.warning("webhook refused", endpoint=endpoint.id, attempt=page.attempts + 1, why=why)
