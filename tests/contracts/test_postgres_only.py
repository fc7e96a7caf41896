"""PostgreSQL only: it is never migrated by surprise, conflicts are tried again."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from liveroom.domain.ids import TenantId, UserId
from liveroom.domain.ledger import Bundle, Transfer, chart
from liveroom.domain.refusals import Refused
from liveroom.store import keys, posting
from liveroom.store.database import open_store, upgrade
from liveroom.store.port import StoreUnusableError, Transaction
from liveroom.store.tables import bundles, ledger_lines, members
from tests.postgres import Cluster


async def test_an_unmigrated_database_is_refused_with_the_command_to_run(
    postgres: Cluster,
) -> None:
    postgres.statement("CREATE DATABASE bare")
    url = postgres.url("bare").replace("postgres@", "postgres:secret@")
    with pytest.raises(StoreUnusableError, match="liveroom db upgrade --store") as refused:
        await open_store(url)
    assert "secret" not in str(refused.value)
    await upgrade(url)
    await (await open_store(url)).close()


async def test_a_server_that_does_not_answer_is_named(postgres: Cluster) -> None:
    with pytest.raises(StoreUnusableError, match="does not answer"):
        await open_store("postgresql://postgres@127.0.0.1:1/none")
    with pytest.raises(StoreUnusableError, match="does not answer"):
        await open_store(postgres.url("missing"))


async def test_a_deadlock_is_tried_again_until_both_are_done(postgres: Cluster) -> None:
    postgres.statement("CREATE DATABASE deadlock TEMPLATE migrated")
    store = await open_store(postgres.url("deadlock"))
    for id in ("a", "b"):
        row = insert(members).values(tenant="t", id=id, created_at=0)
        await store.run(lambda tx, row=row: tx.execute(row))
    tries: list[str] = []

    def locking(first: str, second: str) -> Callable[[Transaction], None]:
        def command(tx: Transaction) -> None:
            tries.append(first)
            for id in (first, second):
                tx.execute(text("UPDATE members SET spent = spent + 1 WHERE id = :id"), {"id": id})
                tx.execute(text("SELECT pg_sleep(0.2)"))

        return command

    await asyncio.gather(
        store.run(locking("a", "b")),
        store.run(locking("b", "a")),
    )
    assert len(tries) >= 3
    total = await store.run(lambda tx: tx.execute(text("SELECT sum(spent) FROM members")).scalar())
    assert total == 4
    await store.close()


async def test_the_database_refuses_a_bundle_that_does_not_sum_to_zero(
    postgres: Cluster,
) -> None:
    postgres.statement("CREATE DATABASE sums TEMPLATE migrated")
    store = await open_store(postgres.url("sums"))

    def unbalanced(tx: Transaction) -> None:
        tx.execute(insert(bundles).values(tenant="t", id="b", cause="c", ref="r", at=1))
        row = {"tenant": "t", "bundle": "b", "account": "x", "unit": "coins", "amount": 5}
        tx.execute(insert(ledger_lines).values(**row))

    with pytest.raises(DBAPIError, match="does not sum to zero"):
        await store.run(unbalanced)
    await store.close()


async def test_a_server_that_stops_is_unavailable(postgres: Cluster) -> None:
    postgres.statement("CREATE DATABASE stops TEMPLATE migrated")
    store = await open_store(postgres.url("stops"))
    await store.run(lambda tx: tx.execute(text("SELECT 1")).scalar())
    postgres.statement(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'stops'"
    )
    postgres.statement("ALTER DATABASE stops ALLOW_CONNECTIONS false")
    with pytest.raises(Refused, match="unavailable"):
        await store.run(lambda tx: tx.execute(text("SELECT 1")).scalar())
    postgres.statement("ALTER DATABASE stops ALLOW_CONNECTIONS true")
    assert await store.run(lambda tx: tx.execute(text("SELECT 1")).scalar()) == 1
    await store.close()


async def test_an_outcome_that_nobody_heard_is_found_by_its_key(postgres: Cluster) -> None:
    """The connection is lost while the commit is answered: asking again finds what it did."""
    postgres.statement("CREATE DATABASE unheard TEMPLATE migrated")
    store = await open_store(postgres.url("unheard"))
    scope = keys.Scope(tenant=TenantId("t"), command="give", subject="", key="k")
    wallet = chart.wallet_of(UserId("u"))

    def effect(tx: Transaction) -> str:
        transfer = Transfer(chart.ISSUER, wallet, 5)
        bundle = Bundle(id="b1", cause="c", ref="k", transfers=(transfer,))
        posting.post_bundle(tx, scope.tenant, bundle, at=1)
        return "given"

    def command(tx: Transaction) -> keys.Outcome:
        return keys.once(tx, scope, command="c", at=1, answer_type=str, effect=effect)

    lose = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'unheard'"
    heard = await asyncio.gather(
        store.run(command),
        asyncio.to_thread(postgres.statement, lose),
        return_exceptions=True,
    )
    assert isinstance(heard[0], keys.Outcome | Refused)
    again = await store.run(command)
    assert again.unwrap() == "given"
    held = await store.run(lambda tx: posting.balance_of(tx, scope.tenant, wallet))
    assert (held.amount, held.version) == (5, 1)
    await store.close()
