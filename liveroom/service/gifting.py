"""Gifts: coins move and everybody sees it, in one commit, once per key."""

from dataclasses import dataclass

from sqlalchemy import bindparam, select

from liveroom.domain import gifts
from liveroom.domain.actors import Actor
from liveroom.domain.events import GiftSent
from liveroom.domain.gifts import CATALOGUE, Combo, Gift
from liveroom.domain.ids import EventId, RoomId, TenantId
from liveroom.domain.ledger import Bundle, Transfer, split
from liveroom.domain.members import may_pay
from liveroom.observe import LEDGER_TRANSFERS
from liveroom.service.access import CUSTOMERS, Access, Door, require, require_name
from liveroom.service.ports import Ports
from liveroom.store import journal, keys, members, posting
from liveroom.store.dialect import put
from liveroom.store.journal import Place
from liveroom.store.port import Transaction
from liveroom.store.tables import combos


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftReceipt:
    """The answer to a gift: its event id, the event's `n`, and what is left in the wallet."""

    id: EventId
    n: int
    coins_left: int


_LAST_COMBO = select(combos.c.count, combos.c.at).where(
    *(combos.c[name] == bindparam(f"of_{name}") for name in ("tenant", "room", "member", "gift"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Give:
    room: RoomId
    gift: str
    count: int


class Gifting:
    """Takes gifts."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access

    def catalogue(self) -> tuple[Gift, ...]:
        """List the gifts there are."""
        return CATALOGUE

    async def give(
        self, actor: Actor, room: RoomId, gift: str, count: int, key: str
    ) -> GiftReceipt:
        """Give a gift; the same key again returns the same receipt.

        Raises:
            Refused: `forbidden`, `anonymous`, `age_unconfirmed`, `no_such_gift`, `invalid`,
                `not_enough_coins`, `idempotency_mismatch`.

        """
        require(actor, CUSTOMERS)
        actor, door = await self._access.enter(actor, room)
        require_name(actor)
        found = gifts.find_gift(gift)
        price = gifts.price_of(found, count)
        at = self._ports.now_ms()
        place = Place(tenant=door.tenant, room=room, at=at)

        def effect(tx: Transaction) -> GiftReceipt:
            return self._give(tx, actor, door, place, found, count, price, key)

        def command(tx: Transaction) -> keys.Outcome:
            scope = keys.Scope(tenant=door.tenant, command="gift", subject=actor.user, key=key)
            asked = _Give(room=room, gift=gift, count=count)
            return keys.once(
                tx, scope, command=asked, at=at, answer_type=GiftReceipt, effect=effect
            )

        outcome = await self._ports.store.run(command)
        receipt: GiftReceipt = outcome.unwrap()
        LEDGER_TRANSFERS.inc(0 if outcome.again else 1)
        return receipt

    def _give(
        self,
        tx: Transaction,
        actor: Actor,
        door: Door,
        place: Place,
        gift: Gift,
        count: int,
        price: int,
        key: str,
    ) -> GiftReceipt:
        somebody = members.guest(tx, door.tenant, door.room, actor.user)
        may_pay(actor, somebody.member.age_band)
        wallet = posting.wallet_of(actor.user)
        host, platform = split(
            price, (self._ports.policy.host_share, self._ports.policy.platform_share)
        )
        earner = posting.earnings_of(door.host or f"room:{door.room}")
        shares = ((earner, host), (posting.PLATFORM, platform))
        bundle = Bundle(
            id=self._ports.new_id(),
            cause=f"gift:{gift.id}",
            ref=key,
            transfers=tuple(Transfer(wallet, to, share) for to, share in shares if share),
        )
        lines = posting.post_bundle(tx, door.tenant, bundle, at=place.at)
        combo = self._combo(tx, door.tenant, place, actor, gift, count)
        fact = GiftSent(
            user=actor.user,
            name=somebody.name(actor.name),
            gift=gift.id,
            count=count,
            combo=combo.count,
        )
        totals = {"gifts": count, "gift_coins": price}
        (event,) = journal.append(tx, place, [fact], new_id=self._ports.new_id, cid=key, add=totals)
        assert event.n is not None
        return GiftReceipt(id=event.id, n=event.n, coins_left=lines[wallet.id].balance)

    @staticmethod
    def _combo(
        tx: Transaction, tenant: TenantId, place: Place, actor: Actor, gift: Gift, count: int
    ) -> Combo:
        """Continue the sender's combo; their wallet is locked, so nobody else writes it."""
        key = {"tenant": tenant, "room": place.room, "member": actor.user, "gift": gift.id}
        row = tx.execute(_LAST_COMBO, {f"of_{name}": value for name, value in key.items()}).first()
        previous = Combo(count=row[0], at=row[1]) if row else None
        combo = gifts.next_combo(previous, count=count, at=place.at)
        values = {**key, "count": combo.count, "at": combo.at}
        put(tx, combos, values, replace=("count", "at"))
        return combo
