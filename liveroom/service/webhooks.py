"""A shop's webhook endpoints: create, list, change, remove, and what became of their pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liveroom.domain.actors import Actor
from liveroom.domain.ids import RoomId, TenantId
from liveroom.domain.refusals import Refused
from liveroom.domain.webhooks import ENDPOINTS_MAX, Endpoint, check_endpoint
from liveroom.service.access import MERCHANTS, Access, require
from liveroom.service.ports import Ports
from liveroom.store import webhooks
from liveroom.store.port import Transaction
from liveroom.store.webhooks import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointState:
    """An endpoint, how many pages wait for it, and those given up."""

    endpoint: Endpoint
    waiting: int
    dead: Sequence[Page]


class Webhooks:
    """Keeps endpoints. Only the shop itself may."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access

    async def create(
        self, actor: Actor, url: str, kinds: Sequence[str], room: RoomId | None
    ) -> Endpoint:
        """Keep a new endpoint; its secret is told now and never again.

        Raises:
            Refused: `invalid`, `full` with too many endpoints, `no_such_room`.

        """
        tenant = await self._tenant(actor)
        check_endpoint(url, kinds, private_allowed=self._ports.private_webhooks)
        if room is not None:
            await self._access.enter(actor, room)
        endpoint = Endpoint(
            id=self._ports.new_id(),
            tenant=tenant,
            url=url,
            secret=self._ports.new_secret(),
            kinds=tuple(sorted(set(kinds))),
            room=room,
            paused=False,
            failures=0,
            open_until=0,
            created_at=self._ports.now_ms(),
        )

        def command(tx: Transaction) -> None:
            if webhooks.count(tx, tenant) >= ENDPOINTS_MAX:
                raise Refused("invalid", f"A shop has at most {ENDPOINTS_MAX} endpoints.")
            webhooks.create(tx, endpoint)

        await self._ports.store.run(command)
        return endpoint

    async def list(self, actor: Actor) -> Sequence[Endpoint]:
        """List the shop's endpoints."""
        tenant = await self._tenant(actor)
        return await self._ports.store.run(lambda tx: webhooks.of_shop(tx, tenant))

    async def show(self, actor: Actor, id: str) -> EndpointState:
        """Show an endpoint with what waits and what was given up."""
        tenant = await self._tenant(actor)

        def command(tx: Transaction) -> EndpointState:
            endpoint = webhooks.find(tx, tenant, id)
            if endpoint is None:
                raise Refused("no_such_webhook")
            return EndpointState(
                endpoint=endpoint,
                waiting=webhooks.waiting(tx, tenant, id),
                dead=webhooks.dead(tx, tenant, id),
            )

        return await self._ports.store.run(command)

    async def pause(self, actor: Actor, id: str, *, paused: bool) -> EndpointState:
        """Stop sending to an endpoint, or go on from where it stopped."""
        tenant = await self._tenant(actor)
        values: dict[str, Any] = {"paused": paused, "failures": 0, "open_until": 0}
        await self._ports.store.run(lambda tx: _known(webhooks.change(tx, tenant, id, values)))
        return await self.show(actor, id)

    async def redeliver(self, actor: Actor, id: str) -> int:
        """Send the pages again that were given up; returns how many."""
        tenant, at = await self._tenant(actor), self._ports.now_ms()

        def command(tx: Transaction) -> int:
            _known(webhooks.change(tx, tenant, id, {"failures": 0, "open_until": 0}))
            return webhooks.revive(tx, tenant, id, at=at)

        return await self._ports.store.run(command)

    async def remove(self, actor: Actor, id: str) -> None:
        """Forget an endpoint."""
        tenant = await self._tenant(actor)
        await self._ports.store.run(lambda tx: _known(webhooks.remove(tx, tenant, id)))

    async def _tenant(self, actor: Actor) -> TenantId:
        require(actor, MERCHANTS)
        return await self._access.tenant(actor)


def _known(found: bool) -> None:
    if not found:
        raise Refused("no_such_webhook")
