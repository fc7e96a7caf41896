"""Gifts: coins move and everybody sees it, in one commit, once per key.

Gifts of one room that come together share a transaction: it reads once for all of them,
decides one after another, and writes once for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from liveroom.domain import gifts
from liveroom.domain.actors import Actor
from liveroom.domain.events import Fact, GiftSent
from liveroom.domain.gifts import CATALOGUE, Combo, Gift
from liveroom.domain.ids import EventId, RoomId, UserId
from liveroom.domain.ledger import Account, Bundle, Line, Transfer, chart, split_fairly
from liveroom.domain.members import may_pay
from liveroom.domain.receipts import TipReminded
from liveroom.domain.refusals import Refused
from liveroom.domain.tipping import Tipped, check_tip, count_tip, product_of
from liveroom.observe import LEDGER_TRANSFERS
from liveroom.service.access import CUSTOMERS, Access, Door, require, require_name
from liveroom.service.gathering import Gathering
from liveroom.service.goals import pushed
from liveroom.service.ports import Ports
from liveroom.store import carries, journal, keys, members, posting, shop, tips
from liveroom.store.dialect import put
from liveroom.store.earnings import earner_of
from liveroom.store.journal import Place
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
    context: str | None = None


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
        self,
        actor: Actor,
        room: RoomId,
        gift: str,
        count: int,
        key: str,
        context: str | None = None,
    ) -> GiftReceipt:
        """Give a gift; the same key again returns the same receipt.

        Raises:
            Refused: `forbidden`, `anonymous`, `age_unconfirmed`, `no_such_gift`, `invalid`,
                `no_such_product` (of the context), `not_enough_coins`, `tip_too_large`,
                `cooling_down`, `idempotency_mismatch`.

        """
        require(actor, CUSTOMERS)
        actor, door = await self._access.enter(actor, room)
        require_name(actor)
        found = gifts.find_gift(gift)
        price = gifts.price_of(found, count)
        scope = keys.Scope(tenant=door.tenant, command="gift", subject=actor.user, key=key)
        if context is not None:
            await self._check_context(door, context)
        command = _Give(room=room, gift=gift, count=count)
        meant = command if context is None else (command, context)
        claim = keys.Claim(scope, keys.fingerprint_of(meant))
        asked = _Asked(actor, found, count, price, claim, context)
        outcome = await self._gathering.ask(door, asked)
        receipt: GiftReceipt = outcome.unwrap()
        LEDGER_TRANSFERS.inc(0 if outcome.again else 1)
        return receipt

    async def _check_context(self, door: Door, context: str) -> None:
        """See that a tip's context is one of ours."""
        product = product_of(context)
        if product is not None:
            known = await self._ports.store.run(
                lambda tx: shop.find_product(tx, door.tenant, product)
            )
            if known is None:
                raise Refused("no_such_product")

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
        policy = self._ports.policy.tipping
        tipped = tips.tipped(tx, door.tenant, set(givers))

        def refusal(one: _Asked) -> Refused | None:
            try:
                may_pay(one.actor, givers[one.actor.user].member.age_band)
                check_tip(one.price, tipped.get(one.actor.user), policy, at=place.at)
            except Refused as refused:
                return refused
            return None

        answers: list[GiftReceipt | Refused | None] = [refusal(one) for one in asked]
        allowed = [index for index, answer in enumerate(answers) if answer is None]
        posted = self._post(tx, door, [asked[index] for index in allowed], at=place.at)
        paid: dict[int, _Paid] = {}
        for index, lines in zip(allowed, posted, strict=True):
            if isinstance(lines, Refused):
                answers[index] = lines
                continue
            one = asked[index]
            left = lines[chart.wallet_of(one.actor.user).id].balance
            paid[index] = _Paid(one, givers[one.actor.user].name(one.actor.name), left)
        if paid:
            self._count_tips(tx, place, [one.asked for one in paid.values()], tipped)
        answers_paid = self._show(tx, place, list(paid.values()))
        for index, receipt in zip(paid, answers_paid, strict=True):
            answers[index] = receipt
        return [answer for answer in answers if answer is not None]

    def _post(
        self, tx: Transaction, door: Door, asked: Sequence[_Asked], *, at: int
    ) -> list[dict[str, Line] | Refused]:
        """Split each price between host and platform, and move the coins.

        What roundings leave owed to either side is carried on from gift to gift, so that a
        room's single coins are shared as fairly as its large gifts.
        """
        policy = self._ports.policy
        weights = (policy.host_share, policy.platform_share)
        earner = earner_of(door.host, door.room)
        wallets = {chart.wallet_of(one.actor.user) for one in asked}
        locked = posting.lock(tx, door.tenant, wallets)
        carry: tuple[int, ...] = (0, 0)
        before = carry
        if uneven := any(one.price * weights[0] % sum(weights) for one in asked):
            carry = before = carries.read(tx, door.tenant, f"gifts:{earner}", weights)
        bundles: list[Bundle] = []
        for one in asked:
            shares, carry = split_fairly(one.price, weights, carry)
            bundles.append(self._bundle(chart.pending_of(earner), one, shares))
        posted = posting.post_bundles(tx, door.tenant, bundles, at=at, locked=locked)
        if uneven and carry != before:
            carries.write(tx, door.tenant, f"gifts:{earner}", weights, carry)
        return posted

    def _bundle(self, earner: Account, asked: _Asked, shares: Sequence[int]) -> Bundle:
        wallet = chart.wallet_of(asked.actor.user)
        ends = (earner, chart.PLATFORM)
        return Bundle(
            id=self._ports.new_id(),
            cause=f"gift:{asked.gift.id}",
            ref=asked.claim.scope.key,
            actor=asked.actor.user,
            transfers=tuple(
                Transfer(wallet, end, share)
                for end, share in zip(ends, shares, strict=True)
                if share
            ),
        )

    def _count_tips(
        self,
        tx: Transaction,
        place: Place,
        paid: Sequence[_Asked],
        before: dict[UserId, Tipped],
    ) -> None:
        """Count the day's tips, remind whom they have become many, push the room's goal."""
        policy, now = self._ports.policy.tipping, dict(before)
        changed: dict[UserId, Tipped] = {}
        contexts: dict[str, tuple[int, int]] = {}
        for one in paid:
            user = one.actor.user
            now[user], reminds = count_tip(one.price, now.get(user), policy, at=place.at)
            changed[user] = now[user]
            if reminds:
                fact = TipReminded(coins=now[user].coins, pause_ms=policy.cooldown_ms)
                journal.append_personal(tx, place, user, fact, new_id=self._ports.new_id)
            if one.context is not None:
                coins, gifts_so_far = contexts.get(one.context, (0, 0))
                contexts[one.context] = (coins + one.price, gifts_so_far + one.count)
        tips.write_tipped(tx, place.tenant, changed)
        if contexts:
            tips.add_contexts(tx, place.tenant, place.room, contexts)

    def _show(self, tx: Transaction, place: Place, paid: Sequence[_Paid]) -> list[GiftReceipt]:
        """Make the events of paid gifts."""
        if not paid:
            return []
        counts = _continue_combos(tx, place, [one.asked for one in paid])
        facts: list[Fact] = [
            GiftSent(
                user=one.asked.actor.user,
                name=one.name,
                gift=one.asked.gift.id,
                count=one.asked.count,
                combo=count,
                context=one.asked.context,
            )
            for one, count in zip(paid, counts, strict=True)
        ]
        totals = {
            "gifts": sum(one.asked.count for one in paid),
            "gift_coins": sum(one.asked.price for one in paid),
        }
        cids = [one.asked.claim.scope.key for one in paid]
        goal = pushed(tx, place, totals["gift_coins"])
        events = journal.append(
            tx,
            place,
            [*facts, *goal],
            new_id=self._ports.new_id,
            cids=cids,
            add=totals,
        )[: len(facts)]
        return [
            GiftReceipt(id=event.id, n=event.n or 0, coins_left=one.coins_left)
            for event, one in zip(events, paid, strict=True)
        ]


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
