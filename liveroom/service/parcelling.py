"""Parcels: what is on its way to whom, and the guard over somebody's first purchase."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from liveroom.domain.actors import Actor
from liveroom.domain.ids import OrderId, TenantId, UserId
from liveroom.domain.parcels import SHIP_WITHIN_MS, Address, Parcel, ParcelState, move
from liveroom.domain.refusals import Refused
from liveroom.observe import PARCELS_LATE, logger
from liveroom.service.access import MERCHANTS, Access, require, require_name
from liveroom.service.ports import Ports
from liveroom.store import keys, members, parcels, shop
from liveroom.store.port import Transaction

_log = logger(__name__)

Apologise = Callable[[Transaction, TenantId, Parcel], None]
"""Makes good, within the alert's transaction, that a first purchase left late: a voucher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelDraft:
    """A parcel to send: a physical reward, or part of an order; `promised_at` UTC ms."""

    member: UserId
    title: str
    order: OrderId | None = None
    promised_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentNotice:
    """A verified word of the shop's warehouse or courier on all parcels of an order."""

    tenant: TenantId
    order: OrderId
    state: ParcelState
    carrier: str | None = None
    tracking: str | None = None


class Parcelling:
    """Follows parcels."""

    def __init__(self, ports: Ports, access: Access, apologise: Sequence[Apologise] = ()) -> None:
        self._ports = ports
        self._access = access
        self._apologise = tuple(apologise)

    async def send(self, actor: Actor, draft: ParcelDraft, key: str) -> Parcel:
        """Open a parcel, to the address its owner gave once.

        Raises:
            Refused: `forbidden`, `no_such_user`, `no_such_order`, `idempotency_mismatch`.

        """
        require(actor, MERCHANTS)
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def effect(tx: Transaction) -> Parcel:
            if members.find(tx, tenant, draft.member) is None:
                raise Refused("no_such_user")
            if draft.order is not None and shop.find_order(tx, tenant, draft.order) is None:
                raise Refused("no_such_order")
            parcel = Parcel(
                id=self._ports.new_id(),
                member=draft.member,
                title=draft.title,
                state=ParcelState.WAITING,
                promised_at=draft.promised_at or at + SHIP_WITHIN_MS,
                created_at=at,
                order=draft.order,
            )
            parcels.add(tx, tenant, parcel)
            return replace(parcel, address=parcels.address_of(tx, tenant, draft.member))

        def command(tx: Transaction) -> keys.Outcome:
            scope = keys.Scope(tenant=tenant, command="parcel", subject="", key=key)
            return keys.once(tx, scope, command=draft, at=at, answer_type=Parcel, effect=effect)

        sent: Parcel = (await self._ports.store.run(command)).unwrap()
        return sent

    async def move(
        self,
        actor: Actor,
        id: str,
        state: ParcelState,
        *,
        carrier: str | None,
        tracking: str | None,
    ) -> Parcel:
        """Say where a parcel is; the same again changes nothing.

        Raises:
            Refused: `forbidden`, `no_such_parcel`, `parcel_elsewhere`.

        """
        require(actor, MERCHANTS)
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def command(tx: Transaction) -> Parcel:
            found = parcels.find(tx, tenant, id, lock=True)
            if found is None:
                raise Refused("no_such_parcel")
            _move(tx, tenant, found, state, carrier, tracking, at)
            moved = parcels.find(tx, tenant, id)
            assert moved is not None
            return moved

        return await self._ports.store.run(command)

    async def noticed(self, notice: ShipmentNotice) -> int:
        """Take the warehouse's word on an order; returns how many parcels it moved."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> int:
            found = parcels.of_order(tx, notice.tenant, notice.order)
            if not found:
                raise Refused("no_such_order")
            return sum(
                _move(tx, notice.tenant, one, notice.state, notice.carrier, notice.tracking, at)
                for one in found
            )

        return await self._ports.store.run(command)

    async def listed(
        self, actor: Actor, *, member: UserId | None = None, late: bool = False
    ) -> list[Parcel]:
        """List the shop's parcels, newest first: somebody's, or those that are late."""
        require(actor, MERCHANTS)
        tenant = await self._access.tenant(actor)
        late_at = self._ports.now_ms() if late else None
        return await self._ports.store.run(
            lambda tx: parcels.listed(tx, tenant, member=member, late_at=late_at)
        )

    async def mine(self, actor: Actor) -> list[Parcel]:
        """List one's own parcels, newest first."""
        require_name(actor)
        tenant = await self._access.tenant(actor)
        return await self._ports.store.run(lambda tx: parcels.listed(tx, tenant, member=actor.user))

    async def set_address(self, actor: Actor, address: Address) -> Address:
        """Keep where somebody wants their parcels; those that wait go there too."""
        require_name(actor)
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def command(tx: Transaction) -> None:
            members.ensure(tx, tenant, actor.user, at=at)
            parcels.put_address(tx, tenant, actor.user, address, at=at)

        await self._ports.store.run(command)
        return address

    async def guard(self) -> int:
        """Alert the shop, once each, of first purchases that should have left by now."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> list[tuple[TenantId, Parcel]]:
            late = parcels.unguarded(tx, at=at)
            new = [one for one in late if parcels.alerted(tx, one[0], one[1].id, at=at)]
            for tenant, parcel in new:
                for apologise in self._apologise:
                    apologise(tx, tenant, parcel)
            return new

        raised = await self._ports.store.run(command)
        for tenant, parcel in raised:
            PARCELS_LATE.inc()
            _log.warning(
                "a first purchase has not left yet",
                merchant=tenant, parcel=parcel.id, order=parcel.order, member=parcel.member,
            )  # fmt: skip
        return len(raised)


def _move(
    tx: Transaction,
    tenant: TenantId,
    parcel: Parcel,
    state: ParcelState,
    carrier: str | None,
    tracking: str | None,
    at: int,
) -> bool:
    if not move(parcel.state, state):
        return False
    parcels.moved(tx, tenant, parcel.id, state, carrier=carrier, tracking=tracking, at=at)
    return True
