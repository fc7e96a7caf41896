"""Points: earned by orders, check-in, watching and talking, in lots that expire.

An order's points are pending until it is final. Lines of talk are counted in the background,
many in one transaction: a line of danmaku itself never waits for its point.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from liveroom.domain.actors import Actor
from liveroom.domain.ids import OrderId, RoomId, TenantId, UserId
from liveroom.domain.ledger import Account, Bundle, Terms, Transfer, chart
from liveroom.domain.ledger.reversals import debt_of
from liveroom.domain.levels import DAY_MS
from liveroom.domain.loyalty import PointsEarned
from liveroom.domain.points import check_in, talk, watch
from liveroom.domain.refunds import OrderRefunded
from liveroom.domain.shop_rules import ShopRules, local_day
from liveroom.service.access import CUSTOMERS, Access, require, require_name
from liveroom.service.ports import Ports
from liveroom.store import journal, lots, members, posting, refunds, rules, shop
from liveroom.store import progress as rows
from liveroom.store.journal import Place
from liveroom.store.port import Transaction
from liveroom.store.progress import PendingPoints, Progress

POINTS: Final = "points"
HEARD_MAX: Final = 2_000
"""Lines waiting to be counted; of more the latest are not counted."""
COUNTED_MAX: Final = 200
"""Lines counted in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One's own points: to spend now, pending, and what soonest expires of them."""

    points: int
    pending: int
    expiring: int
    expires_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What an action brought: points (0 = nothing more today) and where one stands."""

    points: int
    streak: int = 0
    watched_ms: int = 0
    done: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    tenant: TenantId
    room: RoomId
    user: UserId
    text: str


class Rewarding:
    """Gives points for what members do."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access
        self._heard: deque[_Line] = deque()

    async def balance(self, actor: Actor) -> Balance:
        """Show somebody their own points."""
        require_name(actor)
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def command(tx: Transaction) -> Balance:
            wallet = chart.wallet_of(actor.user, POINTS)
            open_lots = [lot for lot in lots.lots_of(tx, tenant, wallet) if lot.ends_at > at]
            soonest = min((lot.ends_at for lot in open_lots), default=None)
            return Balance(
                points=posting.spendable_of(tx, tenant, wallet, at=at),
                pending=posting.balance_of(tx, tenant, _pending(actor.user)).amount,
                expiring=sum(lot.left for lot in open_lots if lot.ends_at == soonest),
                expires_at=soonest,
            )

        return await self._ports.store.run(command)

    async def check_in(self, actor: Actor, room: RoomId) -> Earned:
        """Check in for today, in the shop's time zone; again today earns nothing."""

        def step(progress: Progress, shop: ShopRules, at: int) -> tuple[Progress, Earned]:
            after, points = check_in(progress.check_in, local_day(shop, at), shop.earning)
            earned = Earned(points=points, streak=after.streak, done=True)
            return replace(progress, check_in=after), earned

        return await self._do(actor, room, "checkin", step)

    async def watching(self, actor: Actor, room: RoomId) -> Earned:
        """Count a heartbeat of somebody who watches; `done`: send no more today."""

        def step(progress: Progress, shop: ShopRules, at: int) -> tuple[Progress, Earned]:
            after, points = watch(progress.watching, local_day(shop, at), at, shop.earning)
            earned = Earned(points=points, watched_ms=after.total_ms, done=after.granted)
            return replace(progress, watching=after), earned

        return await self._do(actor, room, "watching", step)

    async def _do(
        self,
        actor: Actor,
        room: RoomId,
        why: str,
        step: Callable[[Progress, ShopRules, int], tuple[Progress, Earned]],
    ) -> Earned:
        require(actor, CUSTOMERS)
        actor, door = await self._access.enter(actor, room)
        require_name(actor)
        place = Place(tenant=door.tenant, room=room, at=self._ports.now_ms())

        def command(tx: Transaction) -> Earned:
            shop = rules.in_force(tx, door.tenant)[1]
            members.ensure(tx, door.tenant, actor.user, at=place.at)
            before = rows.progress_of(tx, door.tenant, actor.user)
            after, earned = step(before, shop, place.at)
            if after != before:
                rows.write_progress(tx, door.tenant, actor.user, after)
            if earned.points:
                self._grant(tx, place, actor.user, earned.points, shop, why)
            return earned

        return await self._ports.store.run(command)

    def heard(self, tenant: TenantId, room: RoomId, user: UserId, text: str) -> None:
        """Note a line that was shown, to be counted soon."""
        if len(self._heard) < HEARD_MAX:
            self._heard.append(_Line(tenant, room, user, text))

    async def count_lines(self) -> int:
        """Count the lines heard so far; returns how many."""
        lines = [self._heard.popleft() for _ in range(min(COUNTED_MAX, len(self._heard)))]
        if not lines:
            return 0
        # In order of their owners, so that two nodes never wait for each other in a circle.
        lines.sort(key=lambda line: (line.tenant, line.user))
        at = self._ports.now_ms()

        def command(tx: Transaction) -> int:
            for line in lines:
                self._count_line(tx, line, at)
            return len(lines)

        return await self._ports.store.run(command)

    def _count_line(self, tx: Transaction, line: _Line, at: int) -> None:
        shop = rules.in_force(tx, line.tenant)[1]
        before = rows.progress_of(tx, line.tenant, line.user)
        after, points = talk(before.talking, local_day(shop, at), line.text, shop.earning)
        if after == before.talking:
            return
        progress = replace(before, talking=after)
        rows.write_progress(tx, line.tenant, line.user, progress)
        if points:
            members.ensure(tx, line.tenant, line.user, at=at)
            place = Place(tenant=line.tenant, room=line.room, at=at)
            self._grant(tx, place, line.user, points, shop, "talking")

    def after_purchase(
        self,
        tx: Transaction,
        tenant: TenantId,
        user: UserId,
        order: OrderId,
        *,
        paid: int,
        at: int,
    ) -> int:
        """Promise the points of an order that was just written down; returns how many."""
        shop = rules.in_force(tx, tenant)[1]
        points = shop.earning.for_order(paid)
        if not points:
            return 0
        issued = Transfer(chart.issuer_of(POINTS), _pending(user), points)
        bundle = Bundle(id=f"points/{order}", cause="points:order", ref=order, transfers=(issued,))
        posting.post_bundle(tx, tenant, bundle, at=at)
        final_at = at + shop.earning.final_days * DAY_MS
        rows.add_pending(
            tx,
            PendingPoints(
                tenant=tenant, order=order, member=user, points=points, final_at=final_at
            ),
        )
        return points

    def after_refund(self, tx: Transaction, tenant: TenantId, done: OrderRefunded) -> None:
        """Take back the points of what went back; what was spent already is owed."""
        order = shop.find_order(tx, tenant, done.order)
        promised = posting.credited_by(tx, tenant, f"points/{done.order}")
        due = refunds.share_of(tx, tenant, done, promised) if promised else 0
        if order is None or not due:
            return
        user, at = UserId(order.member), self._ports.now_ms()
        pending = rows.take_pending(tx, tenant, OrderId(done.order))
        if pending is not None:
            source = [(_pending(user), due)]
            rows.add_pending(tx, replace(pending, points=pending.points - due))
        else:
            wallet = chart.wallet_of(user, POINTS)
            there = min(due, posting.spendable_of(tx, tenant, wallet, at=at))
            source = [(wallet, there), (debt_of(wallet), due - there)]
        transfers = tuple(
            Transfer(account, chart.issuer_of(POINTS), amount)
            for account, amount in source
            if amount
        )
        bundle = Bundle(
            id=f"{done.refund}/earned", cause="points:refund", ref=done.refund, transfers=transfers
        )
        posting.post_bundle(tx, tenant, bundle, at=at)

    async def settle(self) -> int:
        """Make pending points final whose orders cannot come back any more."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> int:
            final = rows.take_final(tx, at=at)
            for one in final:
                shop = rules.in_force(tx, one.tenant)[1]
                terms = Terms(expires_at=at + shop.earning.expire_days * DAY_MS)
                wallet = chart.wallet_of(one.member, POINTS)
                if not one.points:
                    continue
                own = Transfer(_pending(one.member), wallet, one.points, terms)
                bundle = Bundle(
                    id=f"points/{one.order}/final",
                    cause="points:final",
                    ref=one.order,
                    transfers=(own,),
                )
                posting.post_bundle(tx, one.tenant, bundle, at=at)
            return len(final)

        return await self._ports.store.run(command)

    def _grant(
        self, tx: Transaction, place: Place, user: UserId, points: int, shop: ShopRules, why: str
    ) -> None:
        terms = Terms(expires_at=place.at + shop.earning.expire_days * DAY_MS)
        wallet = chart.wallet_of(user, POINTS)
        earned = Transfer(chart.issuer_of(POINTS), wallet, points, terms)
        id = self._ports.new_id()
        bundle = Bundle(id=id, cause=f"points:{why}", ref=id, transfers=(earned,))
        posting.post_bundle(tx, place.tenant, bundle, at=place.at)
        fact = PointsEarned(points=points, why=why)
        journal.append_personal(tx, place, user, fact, new_id=self._ports.new_id)


def _pending(user: UserId) -> Account:
    """Name where points wait until their order is final."""
    return Account(f"user:{user}", POINTS, "pending", floor=0)
