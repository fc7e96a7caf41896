"""Gifts: coins move and everybody sees it, in one commit, once per key.

Gifts of one room that come together share a transaction: it reads once for all of them,
decides one after another, and writes once for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from liveroom.domain import gifts
from liveroom.domain.actors import Actor
from liveroom.domain.events import GiftSent
from liveroom.domain.gifts import CATALOGUE, Combo, Gift
from liveroom.domain.ids import EventId, RoomId, UserId
from liveroom.domain.ledger import Account, Bundle, Transfer, chart, split
from liveroom.domain.members import may_pay
from liveroom.domain.refusals import Refused
from liveroom.observe import LEDGER_TRANSFERS
from liveroom.service.access import CUSTOMERS, Access, Door, require, require_name
from liveroom.service.gathering import Gathering
from liveroom.service.ports import Ports
from liveroom.store import journal, keys, members, posting
from liveroom.store.dialect import put
from liveroom.store.journal import Place
from liveroom.store.members import Guest
from liveroom.store.port import Transaction
from liveroom.store.tables import combos


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftReceipt:
    """The answer to a gift: its event id, the event's `n`, and what is left in the wallet."""

    id: EventId
    n: int
    coins_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Give:
    """What a key stands for."""

    room: RoomId
    gift: str
    count: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """One gift command that may be carried out."""

    actor: Actor
    gift: Gift
    count: int
    price: int
    claim: keys.Claim


@dataclass(frozen=True, slots=True)
class _Paid:
    """A gift whose coins have moved."""

    asked: _Asked
    name: str
    coins_left: int


_COMBOS = select(combos.c.member, combos.c.gift, combos.c.count, combos.c.at).where(
    combos.c.tenant == bindparam("of_tenant"),
    combos.c.room == bindparam("of_room"),
    combos.c.member.in_(bindparam("of_members", expanding=True)),
)


class Gifting:
    """Takes gifts."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access
        self._gathering: Gathering[Door, _Asked, keys.Outcome] = Gathering(
            self._carry_out, identity=lambda asked: asked.claim.scope
        )

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
        scope = keys.Scope(tenant=door.tenant, command="gift", subject=actor.user, key=key)
        command = _Give(room=room, gift=gift, count=count)
        claim = keys.Claim(scope, keys.fingerprint_of(command))
        outcome = await self._gathering.ask(door, _Asked(actor, found, count, price, claim))
        receipt: GiftReceipt = outcome.unwrap()
        LEDGER_TRANSFERS.inc(0 if outcome.again else 1)
        return receipt

    async def finish(self) -> None:
        """Wait until every gift that was accepted has its answer."""
        await self._gathering.finish()

    async def _carry_out(self, door: Door, asked: Sequence[_Asked]) -> Sequence[keys.Outcome]:
        place = Place(tenant=door.tenant, room=door.room, at=self._ports.now_ms())
        return await self._ports.store.run(lambda tx: self._give(tx, door, place, asked))

    def _give(
        self, tx: Transaction, door: Door, place: Place, asked: Sequence[_Asked]
    ) -> list[keys.Outcome]:
        """Carry out what is new and recall what is not, in the order asked."""
        claims = [one.claim for one in asked]
        known = keys.claim(tx, claims, at=place.at, answer_type=GiftReceipt)
        new = [one for one, outcome in zip(asked, known, strict=True) if outcome is None]
        answers = self._effect(tx, door, place, new) if new else []
        scopes = [one.claim.scope for one in new]
        settled = iter(keys.settle(tx, list(zip(scopes, answers, strict=True))))
        return [outcome or next(settled) for outcome in known]

    def _effect(
        self, tx: Transaction, door: Door, place: Place, asked: Sequence[_Asked]
    ) -> list[GiftReceipt | Refused]:
        """Move the coins, number the events; the receipts, or refusals, in the order asked."""
        givers = members.guests(tx, door.tenant, door.room, {one.actor.user for one in asked})
        answers: list[GiftReceipt | Refused | None] = [_refusal(one, givers) for one in asked]
        allowed = [index for index, answer in enumerate(answers) if answer is None]
        bundles = [self._bundle(door, asked[index]) for index in allowed]
        posted = posting.post_bundles(tx, door.tenant, bundles, at=place.at)
        paid: dict[int, _Paid] = {}
        for index, lines in zip(allowed, posted, strict=True):
            if isinstance(lines, Refused):
                answers[index] = lines
                continue
            one = asked[index]
            left = lines[chart.wallet_of(one.actor.user).id].balance
            paid[index] = _Paid(one, givers[one.actor.user].name(one.actor.name), left)
        answers_paid = self._show(tx, place, list(paid.values()))
        for index, receipt in zip(paid, answers_paid, strict=True):
            answers[index] = receipt
        return [answer for answer in answers if answer is not None]

    def _bundle(self, door: Door, asked: _Asked) -> Bundle:
        """Split the price between host and platform."""
        policy = self._ports.policy
        wallet = chart.wallet_of(asked.actor.user)
        earner = chart.pending_of(door.host or f"room:{door.room}")
        ends: tuple[Account, ...] = (earner, chart.PLATFORM)
        shares = split(asked.price, (policy.host_share, policy.platform_share))
        return Bundle(
            id=self._ports.new_id(),
            cause=f"gift:{asked.gift.id}",
            ref=asked.claim.scope.key,
            transfers=tuple(
                Transfer(wallet, end, share)
                for end, share in zip(ends, shares, strict=True)
                if share
            ),
        )

    def _show(self, tx: Transaction, place: Place, paid: Sequence[_Paid]) -> list[GiftReceipt]:
        """Make the events of paid gifts."""
        if not paid:
            return []
        counts = _continue_combos(tx, place, [one.asked for one in paid])
        facts = [
            GiftSent(
                user=one.asked.actor.user,
                name=one.name,
                gift=one.asked.gift.id,
                count=one.asked.count,
                combo=count,
            )
            for one, count in zip(paid, counts, strict=True)
        ]
        totals = {
            "gifts": sum(one.asked.count for one in paid),
            "gift_coins": sum(one.asked.price for one in paid),
        }
        cids = [one.asked.claim.scope.key for one in paid]
        events = journal.append(tx, place, facts, new_id=self._ports.new_id, cids=cids, add=totals)
        return [
            GiftReceipt(id=event.id, n=event.n or 0, coins_left=one.coins_left)
            for event, one in zip(events, paid, strict=True)
        ]


def _refusal(asked: _Asked, givers: dict[UserId, Guest]) -> Refused | None:
    """Say why somebody may not pay."""
    try:
        may_pay(asked.actor, givers[asked.actor.user].member.age_band)
    except Refused as refused:
        return refused
    return None


def _continue_combos(tx: Transaction, place: Place, asked: Sequence[_Asked]) -> list[int]:
    """Continue the senders' combos; their wallets are locked, so nobody else writes them."""
    senders = sorted({one.actor.user for one in asked})
    where = {"of_tenant": place.tenant, "of_room": place.room, "of_members": senders}
    running = {
        (member, gift): Combo(count=count, at=at)
        for member, gift, count, at in tx.execute(_COMBOS, where).all()
    }
    changed: dict[tuple[UserId, str], Combo] = {}
    counts: list[int] = []
    for one in asked:
        key = (one.actor.user, one.gift.id)
        combo = gifts.next_combo(running.get(key), count=one.count, at=place.at)
        running[key] = changed[key] = combo
        counts.append(combo.count)
    this = {"tenant": place.tenant, "room": place.room}
    rows = [
        {**this, "member": member, "gift": gift, "count": combo.count, "at": combo.at}
        for (member, gift), combo in changed.items()
    ]
    put(tx, combos, rows, replace=("count", "at"))
    return counts
