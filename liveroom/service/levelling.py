"""Levels: raised in the transaction of the order, reviewed when their time comes."""

from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.domain.levels import Ladder, Level, Move, Moved, review
from liveroom.domain.loyalty import LevelChanged
from liveroom.domain.refunds import OrderRefunded
from liveroom.domain.refusals import Refused
from liveroom.domain.tiers import Tier, tier_of
from liveroom.service.hooks import write_page
from liveroom.service.ports import Ports
from liveroom.service.profiles import Profiles
from liveroom.store import coupons, journal, levels, rules, shop, webhooks
from liveroom.store.journal import Place
from liveroom.store.port import Transaction


class Levelling:
    """Moves people on their shop's ladder."""

    def __init__(self, ports: Ports, profiles: Profiles) -> None:
        self._ports = ports
        self._profiles = profiles

    def after_purchase(
        self,
        tx: Transaction,
        tenant: TenantId,
        user: UserId,
        room: RoomId | None,
        *,
        total: int,
        at: int,
    ) -> Level:
        """Look at a level just before an order is written down; told in the room it is made in."""
        return self._review(tx, tenant, user, room, just_now=total, at=at)

    def after_refund(self, tx: Transaction, tenant: TenantId, done: OrderRefunded) -> None:
        """Look at the level of somebody whose order went back: they are warned, not lowered."""
        order = shop.find_order(tx, tenant, done.order)
        if order is not None:
            at = self._ports.now_ms()
            self._review(tx, tenant, UserId(order.member), None, just_now=0, at=at)

    async def review_due(self) -> int:
        """Look at the levels whose time has come; returns how many."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> list[tuple[TenantId, UserId]]:
            due = levels.due(tx, at=at)
            for tenant, user in due:
                self._review(tx, tenant, user, None, just_now=0, at=at)
            return due

        due = await self._ports.store.run(command)
        for tenant, user in due:
            self._profiles.forget(tenant, user)
        return len(due)

    def _review(
        self,
        tx: Transaction,
        tenant: TenantId,
        user: UserId,
        room: RoomId | None,
        *,
        just_now: int,
        at: int,
    ) -> Level:
        ladder = rules.in_force(tx, tenant)[1].ladder
        spending = levels.spending(tx, tenant, user, ladder, at=at, just_now=just_now)
        level = levels.find(tx, tenant, user)
        if level is None:
            level = self._first(spending.lifetime - just_now, ladder, at)
        after, moved = review(level, spending, ladder, at=at)
        if moved is not None and moved.move is Move.RAISED:
            self._give(tx, tenant, user, moved.after, at)
        if after.tier is not Tier.BASIC or after.best is not Tier.BASIC:
            levels.write(tx, tenant, user, after, ladder)
        if moved is not None and room is not None:
            self._tell(tx, tenant, user, room, moved, at)
        return after

    def _give(self, tx: Transaction, tenant: TenantId, user: UserId, tier: Tier, at: int) -> None:
        """Give the gift of a level, once in a lifetime; what is used up is not given."""
        chosen = rules.in_force(tx, tenant)[1].level_gifts.get(tier)
        if chosen is None:
            return
        savepoint = tx.begin_nested()
        try:
            coupons.issue(
                tx,
                tenant,
                coupons.find(tx, tenant, chosen),
                user,
                id=f"level-gift/{tier}/{user}",
                cause="coupon:level",
                ref=tier,
                actor="level",
                at=at,
            )
        except Refused:
            savepoint.rollback()
        else:
            savepoint.commit()

    @staticmethod
    def _first(spent_before: int, ladder: Ladder, at: int) -> Level:
        """Start from what an import says somebody spent before."""
        tier = tier_of(max(0, spent_before), ladder.reach)
        return Level(tier=tier, since=at, best=tier)

    def _tell(
        self, tx: Transaction, tenant: TenantId, user: UserId, room: RoomId, moved: Moved, at: int
    ) -> None:
        """Tell the person, and the shop's backend."""
        fact = LevelChanged(
            user=user,
            move=moved.move,
            before=moved.before,
            tier=moved.after,
            missing=moved.missing if moved.move is Move.WARNED else 0,
        )
        place, new_id = Place(tenant=tenant, room=room, at=at), self._ports.new_id
        event = journal.append_personal(tx, place, user, fact, new_id=new_id)
        for endpoint in webhooks.of_shop(tx, tenant):
            if endpoint.wants(fact.KIND) and endpoint.room in (None, room):
                write_page(tx, endpoint, room, [event], id=new_id(), at=at)
