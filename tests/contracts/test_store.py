"""What every store promises, held against SQLite and PostgreSQL alike (`store/port.py`)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from liveroom.bus.port import Position
from liveroom.domain.events import Entered, OrderPaid
from liveroom.domain.ids import OrderId, ProductId, RoomId, TenantId, UserId
from liveroom.domain.ledger import Balance, Bundle, Transfer, chart
from liveroom.domain.orders import OrderLine, Product
from liveroom.domain.receipts import PaymentReceived
from liveroom.domain.refusals import Refused
from liveroom.domain.rooms import Room
from liveroom.service.history import StoreHistory
from liveroom.store import auditing, journal, keys, members, posting, rooms, shop, tickets
from liveroom.store.database import open_store, upgrade
from liveroom.store.journal import Place
from liveroom.store.port import Store, Transaction
from liveroom.store.tables import accounts, bundles, follows, ledger_lines, metadata
from tests.house import until

TENANT, ROOM, USER = TenantId("t1"), RoomId("r1"), UserId("u1")
PLACE = Place(tenant=TENANT, room=ROOM, at=1_000)


class Ids:
    """Fresh ids, also for two commands at once."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        return f"id{self.count}"


new_id = Ids()


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await open_store(url)
    await opened.run(make_room)
    yield opened
    await opened.close()


def make_room(tx: Transaction) -> None:
    room = Room(
        id=ROOM, tenant=TENANT, title="t", host=None, cover=None, language="zh",
        planned_at=None, created_at=0,
    )  # fmt: skip
    assert rooms.create(tx, room, epoch="e1")


def sold(title: str = "t") -> OrderPaid:
    return OrderPaid(product=ProductId("p1"), title=title)


def follow(member: str) -> Any:
    return lambda tx: tx.execute(
        insert(follows).values(tenant=TENANT, room=ROOM, member=member, at=1)
    )


def count_follows(tx: Transaction) -> int:
    return int(tx.execute(select(func.count()).select_from(follows)).scalar_one())


def coins(amount: int, id: str | None = None) -> Bundle:
    """Give coins to, or take them from, the user's wallet."""
    wallet = chart.wallet_of(USER)
    way = (chart.ISSUER, wallet) if amount > 0 else (wallet, chart.PLATFORM)
    return Bundle(
        id=id or new_id(), cause="test", ref="k", transfers=(Transfer(*way, abs(amount)),)
    )


async def test_what_was_committed_is_there_after_reopening(url: str) -> None:
    first = await open_store(url)
    await first.run(make_room)
    await first.run(follow("a"))
    await first.close()
    second = await open_store(url)
    assert await second.run(count_follows) == 1
    await second.close()


async def test_an_exception_undoes_its_command_and_only_it(store: Store) -> None:
    def fail(tx: Transaction) -> None:
        follow("lost")(tx)
        raise LookupError("mine")

    results = await asyncio.gather(
        store.run(follow("a")), store.run(fail), store.run(follow("b")), return_exceptions=True
    )
    assert [isinstance(result, LookupError) for result in results] == [False, True, False]
    assert await store.run(count_follows) == 2


async def test_a_constraint_violation_leaves_others_alone(store: Store) -> None:
    results = await asyncio.gather(
        *(store.run(follow("same")) for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(result, DBAPIError) for result in results) == 2
    assert await store.run(count_follows) == 1


async def test_the_hook_is_called_after_commits_that_left_something_to_publish(
    store: Store,
) -> None:
    called: list[int] = []
    store.on_written = lambda: called.append(1)
    await store.run(follow("a"))
    assert not called
    await store.run(lambda tx: journal.append(tx, PLACE, [sold()], new_id=new_id))
    await until(lambda: called == [1])


async def test_room_numbers_have_no_gaps_under_concurrency_and_refusals(store: Store) -> None:
    def one(tx: Transaction) -> int:
        (event,) = journal.append(tx, PLACE, [sold()], new_id=new_id)
        assert event.n is not None
        return event.n

    def undone(tx: Transaction) -> None:
        one(tx)
        raise Refused("out_of_stock")

    results = await asyncio.gather(
        *(store.run(undone if i % 4 == 0 else one) for i in range(40)), return_exceptions=True
    )
    taken = sorted(result for result in results if isinstance(result, int))
    assert taken == list(range(1, 31))
    kept = await store.run(lambda tx: journal.since(tx, TENANT, ROOM, 0))
    assert [event.n for event in kept] == taken


async def test_events_come_back_as_they_went_in_and_only_those_missed(store: Store) -> None:
    facts = [sold("一"), sold("二"), sold("三")]
    made = await store.run(
        lambda tx: journal.append(tx, PLACE, facts, new_id=new_id, cids=["c1"], add={"orders": 3})
    )
    assert [event.cid for event in made] == ["c1", None, None]
    assert await store.run(lambda tx: journal.since(tx, TENANT, ROOM, 0)) == made
    assert await store.run(lambda tx: journal.since(tx, TENANT, ROOM, 2)) == made[2:]
    assert await store.run(lambda tx: journal.since(tx, TenantId("other"), ROOM, 0)) == []
    state = await store.run(lambda tx: rooms.state(tx, ROOM))
    assert state is not None
    assert (state.n, state.counters.orders) == (3, 3)


async def test_personal_events_are_numbered_by_person(store: Store) -> None:
    def receipt(user: str) -> Any:
        fact = PaymentReceived(
            order=OrderId("o"), product=ProductId("p"), title="t", amount=5, nth=1
        )
        return lambda tx: journal.append_personal(tx, PLACE, UserId(user), fact, new_id=new_id)

    made = await asyncio.gather(*(store.run(receipt(user)) for user in ("a", "b", "a")))
    assert sorted((event.to, event.pn) for event in made) == [("a", 1), ("a", 2), ("b", 1)]
    missed = await store.run(lambda tx: journal.personal_since(tx, TENANT, ROOM, UserId("a"), 1))
    assert [(event.pn, event.to) for event in missed] == [(2, "a")]


async def test_facts_go_where_their_audience_is(store: Store) -> None:
    entered = Entered(user=USER, name="a", tier="basic")
    await store.run(lambda tx: journal.append(tx, PLACE, [entered], new_id=new_id))
    with pytest.raises(ValueError, match="one person"):
        await store.run(lambda tx: journal.append_personal(tx, PLACE, USER, sold(), new_id=new_id))


async def test_the_outbox_holds_events_in_order_until_they_are_published(url: str) -> None:
    store = await open_store(url)
    await store.run(make_room)
    receipt = PaymentReceived(
        order=OrderId("o"), product=ProductId("p"), title="t", amount=5, nth=1
    )
    await store.run(lambda tx: journal.append(tx, PLACE, [sold("1")], new_id=new_id))
    await store.run(lambda tx: journal.append_personal(tx, PLACE, USER, receipt, new_id=new_id))
    await store.run(lambda tx: journal.append(tx, PLACE, [sold("2"), sold("3")], new_id=new_id))
    await store.close()
    store = await open_store(url)
    pending = await store.run(journal.unpublished)
    numbers = [(one.event.n, one.event.pn) for one in pending]
    assert numbers == [(1, None), (None, 1), (2, None), (3, None)]
    assert len(await store.run(lambda tx: journal.unpublished(tx, 2))) == 2
    await store.run(lambda tx: journal.published(tx, [one.seq for one in pending[:2]]))
    left = await store.run(journal.unpublished)
    assert [one.event.n for one in left] == [2, 3]
    await store.close()


def scope(key: str = "k1", subject: str = "") -> keys.Scope:
    return keys.Scope(tenant=TENANT, command="test", subject=subject, key=key)


def once(member: str, *, command: object = "same", at: int = 1, **scoped: str) -> Any:
    def effect(tx: Transaction) -> str:
        follow(member)(tx)
        return member

    return lambda tx: keys.once(
        tx, scope(**scoped), command=command, at=at, answer_type=str, effect=effect
    )


async def test_twins_have_one_effect_and_one_answer(store: Store) -> None:
    outcomes = await asyncio.gather(*(store.run(once(f"m{i}")) for i in range(8)))
    assert len({outcome.unwrap() for outcome in outcomes}) == 1
    assert [outcome.again for outcome in outcomes].count(False) == 1
    assert await store.run(count_follows) == 1


async def test_a_key_used_for_another_command_is_refused(store: Store) -> None:
    await store.run(once("a"))
    with pytest.raises(Refused, match="idempotency_mismatch"):
        await store.run(once("b", command="other"))
    await store.run(once("c", subject="viewer"))
    assert await store.run(count_follows) == 2


@pytest.mark.parametrize(("code", "kept"), [("out_of_stock", True), ("age_unconfirmed", False)])
async def test_conflicts_are_answers_and_kept_and_other_refusals_are_not(
    store: Store, code: str, kept: bool
) -> None:
    asked: list[str] = []

    def effect(tx: Transaction) -> str:
        asked.append(code)
        follow("a")(tx)
        raise Refused(code, "because")

    def command(tx: Transaction) -> keys.Outcome:
        return keys.once(tx, scope(), command="c", at=1, answer_type=str, effect=effect)

    for _ in range(2):
        with pytest.raises(Refused) as refused:
            (await store.run(command)).unwrap()
        assert (refused.value.code, refused.value.why) == (code, "because")
    assert len(asked) == (1 if kept else 2)
    assert await store.run(count_follows) == 0


async def test_old_answers_are_forgotten_after_their_time(store: Store) -> None:
    await store.run(once("a", at=1_000))
    assert await store.run(lambda tx: keys.purge(tx, at=1_000 + keys.KEPT_MS)) == 0
    assert await store.run(lambda tx: keys.purge(tx, at=1_001 + keys.KEPT_MS)) == 1
    assert not (await store.run(once("b", command="other"))).again


async def test_a_wallet_is_never_overdrawn_by_concurrent_spending(store: Store) -> None:
    await store.run(lambda tx: posting.post_bundle(tx, TENANT, coins(20), at=1))

    async def spend() -> int:
        lines = await store.run(lambda tx: posting.post_bundle(tx, TENANT, coins(-1), at=2))
        return lines[chart.wallet_of(USER).id].balance

    results = await asyncio.gather(*(spend() for _ in range(50)), return_exceptions=True)
    spent = sorted((result for result in results if isinstance(result, int)), reverse=True)
    assert spent == list(range(19, -1, -1))
    refused = [result for result in results if isinstance(result, Refused)]
    assert {refusal.code for refusal in refused} == {"not_enough_coins"}
    assert len(refused) == 30
    assert await store.run(auditing.audit) == []


async def test_a_bundle_is_posted_whole_or_not_at_all(store: Store) -> None:
    poor = chart.wallet_of(UserId("poor"))
    await store.run(lambda tx: posting.post_bundle(tx, TENANT, coins(5), at=1))
    wallet = chart.wallet_of(USER)
    both = Bundle(
        id="b", cause="c", ref="r",
        transfers=(Transfer(wallet, chart.PLATFORM, 5), Transfer(poor, chart.PLATFORM, 1)),
    )  # fmt: skip
    with pytest.raises(Refused, match="not_enough_coins"):
        await store.run(lambda tx: posting.post_bundle(tx, TENANT, both, at=2))
    balance = await store.run(lambda tx: posting.balance_of(tx, TENANT, wallet))
    assert (balance.amount, balance.version) == (5, 1)
    other = await store.run(lambda tx: posting.balance_of(tx, TenantId("t2"), wallet))
    assert other.amount == 0


async def test_bundles_posted_together_follow_each_other_and_a_refused_one_writes_nothing(
    store: Store,
) -> None:
    wallet = chart.wallet_of(USER)
    together = [coins(10), coins(-6), coins(-6), coins(-4)]
    posted = await store.run(lambda tx: posting.post_bundles(tx, TENANT, together, at=1))
    assert [
        one.code if isinstance(one, Refused) else (one[wallet.id].balance, one[wallet.id].version)
        for one in posted
    ] == [(10, 1), (4, 2), "not_enough_coins", (0, 3)]
    held = await store.run(lambda tx: posting.balance_of(tx, TENANT, wallet))
    assert (held.amount, held.version) == (0, 3)
    kept = await store.run(lambda tx: tx.execute(select(bundles.c.id)).scalars().all())
    assert sorted(kept) == sorted(together[index].id for index in (0, 1, 3))
    assert await store.run(auditing.audit) == []


async def test_a_balance_that_changed_after_it_was_read_fails_the_command(store: Store) -> None:
    await store.run(lambda tx: posting.post_bundle(tx, TENANT, coins(10), at=1))
    wallet = chart.wallet_of(USER).id

    def stale(tx: Transaction) -> None:
        read, decided = {wallet: Balance(9, 0)}, {wallet: Balance(8, 1)}
        posting._write_balances(tx, TENANT, posting.Locked(read, frozenset()), decided, set())
        line = {"tenant": TENANT, "bundle": "x", "account": wallet, "unit": "coins"}
        tx.execute(insert(bundles).values(tenant=TENANT, id="x", cause="c", ref="r", at=1))
        tx.execute(insert(ledger_lines).values(**line, amount=-1, balance=8, version=1))

    with pytest.raises((AssertionError, DBAPIError)):
        await store.run(stale)
    assert await store.run(auditing.audit) == []


async def test_keys_claimed_together_are_answered_kept_or_given_back(store: Store) -> None:
    await store.run(once("a", key="old", command="same"))
    claims = [
        keys.Claim(scope(key), keys.fingerprint_of(command))
        for key, command in (("old", "same"), ("z", 1), ("old2", 2), ("b", 3))
    ]

    def command(tx: Transaction) -> list[keys.Outcome | None]:
        known = keys.claim(tx, claims, at=1, answer_type=str)
        new = [one.scope for one, outcome in zip(claims, known, strict=True) if outcome is None]
        answers = ["yes", Refused("out_of_stock", "because"), Refused("age_unconfirmed")]
        keys.settle(tx, list(zip(new, answers, strict=False)))
        return known

    first = await store.run(command)
    assert [outcome and outcome.unwrap() for outcome in first] == ["a", None, None, None]
    again = await store.run(lambda tx: keys.claim(tx, claims, at=1, answer_type=str))
    assert again[1] is not None
    assert (again[1].unwrap(), again[1].again) == ("yes", True)
    assert again[2] is not None
    assert again[2].refused is not None
    assert (again[2].refused.code, again[2].refused.why) == ("out_of_stock", "because")
    assert again[3] is None, "a refusal that is no answer gives its key back"


async def test_a_key_claimed_for_another_command_is_refused_and_the_others_are_not(
    store: Store,
) -> None:
    await store.run(once("a", key="taken"))
    claims = [keys.Claim(scope(key), keys.fingerprint_of("other")) for key in ("taken", "free")]
    taken, free = await store.run(lambda tx: keys.claim(tx, claims, at=1, answer_type=str))
    assert taken is not None
    assert taken.refused is not None
    assert taken.refused.code == "idempotency_mismatch"
    assert free is None


async def test_the_database_itself_keeps_the_ledger_append_only(store: Store) -> None:
    await store.run(lambda tx: posting.post_bundle(tx, TENANT, coins(5), at=1))
    changes = [update(ledger_lines).values(amount=1), delete(ledger_lines), delete(bundles)]
    for change in changes:
        with pytest.raises(DBAPIError, match="append-only"):
            await store.run(lambda tx, change=change: tx.execute(change))
    assert await store.run(auditing.audit) == []


async def test_an_audit_finds_what_was_falsified(store: Store) -> None:
    await store.run(lambda tx: posting.post_bundle(tx, TENANT, coins(5), at=1))

    def falsify(tx: Transaction) -> list[str]:
        tx.execute(update(accounts).values(balance=6))
        faults = auditing.audit(tx)
        tx.execute(update(accounts).values(balance=5))
        return faults

    (fault,) = await store.run(falsify)
    assert "states 6" in fault


async def test_the_last_unit_is_sold_once(store: Store) -> None:
    product = Product(id=ProductId("p1"), title="t", price=1, stock=3)
    await store.run(lambda tx: shop.put_product(tx, TENANT, product, new_id=new_id, at=1))
    line = OrderLine(product=product.id, quantity=1, unit_price=1)

    def take(order: str) -> Any:
        return lambda tx: shop.take_stock(tx, TENANT, [line], [product], order=order, at=1)

    results = await asyncio.gather(
        *(store.run(take(f"o{i}")) for i in range(10)), return_exceptions=True
    )
    assert sum(result is None for result in results) == 3
    left = await store.run(lambda tx: shop.find_product(tx, TENANT, product.id))
    assert left is not None
    assert left.stock == 0


async def test_a_ticket_opens_for_one_of_many(store: Store) -> None:
    await store.run(
        lambda tx: tickets.add(
            tx,
            TENANT,
            "secret",
            member="u",
            role="viewer",
            room="r1",
            name=None,
            reusable=False,
            expires_at=100,
        )
    )
    used = await asyncio.gather(
        *(store.run(lambda tx: tickets.use(tx, "secret", at=50)) for _ in range(8))
    )
    assert sum(row is not None for row in used) == 1


async def test_a_visit_and_an_ordinal_are_counted_once_by_concurrent_commands(
    store: Store,
) -> None:
    others = {UserId(f"u{number}") for number in range(5)}

    def visit(tx: Transaction) -> set[UserId]:
        return members.count_visits(tx, TENANT, ROOM, {USER, *others}, occasion="b1", at=1)

    new = await asyncio.gather(*(store.run(visit) for _ in range(8)))
    assert sorted(user for users in new for user in users) == sorted({USER, *others})
    ordinals = await asyncio.gather(
        *(store.run(lambda tx: members.nth_order(tx, TENANT, ROOM, USER)) for _ in range(8))
    )
    assert sorted(ordinals) == list(range(1, 9))
    guest = await store.run(lambda tx: members.guest(tx, TENANT, ROOM, USER))
    assert (guest.visits, guest.room_orders) == (1, 8)


async def test_migrations_make_exactly_the_tables(store: Store) -> None:
    def differences(tx: Transaction) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(tx), metadata))

    assert await store.run(differences) == []


async def test_upgrading_twice_changes_nothing(url: str) -> None:
    await upgrade(url)
    await upgrade(url)
    store = await open_store(url)
    assert await store.run(count_follows) == 0
    await store.close()


async def test_a_node_that_lost_the_bus_reads_what_it_missed(store: Store) -> None:
    history = StoreHistory(store)
    assert await history.positions([]) == {}
    for _ in range(3):
        await store.run(lambda tx: journal.append(tx, PLACE, [sold()], new_id=new_id))
    late = Place(tenant=TENANT, room=ROOM, at=5_000)
    fact = PaymentReceived(order=OrderId("o"), product=ProductId("p"), title="t", amount=1, nth=1)
    for place in (PLACE, late):
        for user in ("u1", "u2"):
            await store.run(
                lambda tx, place=place, user=user: journal.append_personal(
                    tx, place, UserId(user), fact, new_id=new_id
                )
            )
    assert await history.positions([ROOM, RoomId("none")]) == {ROOM: Position("e1", 3)}
    assert [event.n for event in await history.since(ROOM, 1)] == [2, 3]
    assert await history.since(RoomId("none"), 0) == []
    found = await history.personal_since([ROOM], 5_000)
    assert [(event.to, event.pn) for event in found] == [("u1", 2), ("u2", 2)]
    assert await history.personal_since([RoomId("none")], 0) == []
