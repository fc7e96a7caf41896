"""The yardstick of `bench gifts`: the statements of a gift in a bare transaction loop.

Eight statements a gift, nothing decided, nobody waiting: once through SQLAlchemy Core and
once through the driver alone, with the same tables, group size and durability.
"""

import itertools
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import Connection, bindparam, insert, make_url, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect

from liveroom.store import postgres as postgres_store
from liveroom.store import sqlite as sqlite_store
from liveroom.store.tables import (
    accounts,
    bundles,
    combos,
    events,
    idempotency,
    ledger_lines,
    outbox,
    room_counters,
    rooms,
)

TENANT, ROOM, WALLETS = "bare", "bare", 100
COINS = 10**12
FACT = '{"user":"u","name":"n","gift":"rose","count":1,"combo":1}'
ANSWER = '{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","n":1,"coins_left":1}'


@dataclass(frozen=True, slots=True)
class _Gift:
    """What one gift writes, by table; one value set, or one per row."""

    member: str
    id: str

    def values(self, n: int) -> list[Any]:
        this = {"tenant": TENANT, "room": ROOM}
        wallet, at = f"user:{self.member}:coins:wallet", 1_795_420_800_000
        line = {"tenant": TENANT, "bundle": self.id, "unit": "coins"}
        nothing = {"balance": None, "version": None}
        return [
            {
                "tenant": TENANT, "command": "gift", "subject": self.member, "key": self.id,
                "fingerprint": self.id * 2, "answer": ANSWER, "at": at,
            },
            {"of_tenant": TENANT, "of_id": wallet},
            {"tenant": TENANT, "id": self.id, "cause": "gift:rose", "ref": self.id, "at": at},
            [
                {**line, "account": "host:h:coins:pending", "amount": 1, **nothing},
                {**line, "account": "platform:coins:fee", "amount": 1, **nothing},
                {**line, "account": wallet, "amount": -2, "balance": n, "version": n},
            ],
            {**this, "member": self.member, "gift": "rose", "count": 1, "at": at},
            {"of_tenant": TENANT, "of_room": ROOM},
            {**this, "n": n, "id": self.id, "at": at, "kind": "gift", "fact": FACT, "cid": self.id},
            {**this, "member": None, "number": n},
        ]  # fmt: skip


def _statements(dialect: str) -> list[Any]:
    upsert = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(combos)
    return [
        insert(idempotency),
        update(accounts)
        .where(accounts.c.tenant == bindparam("of_tenant"), accounts.c.id == bindparam("of_id"))
        .values(balance=accounts.c.balance - 2, version=accounts.c.version + 1)
        .returning(accounts.c.balance, accounts.c.version),
        insert(bundles),
        insert(ledger_lines),
        upsert.on_conflict_do_update(
            index_elements=list(combos.primary_key.columns),
            set_={"count": upsert.excluded.count, "at": upsert.excluded.at},
        ),
        update(room_counters)
        .where(
            room_counters.c.tenant == bindparam("of_tenant"),
            room_counters.c.room == bindparam("of_room"),
        )
        .values(n=room_counters.c.n + 1, gifts=room_counters.c.gifts + 1)
        .returning(room_counters.c.n),
        insert(events),
        insert(outbox),
    ]


RETURNS = (1, 5)
"""The statements that give something back, by position."""


def _gifts() -> Any:
    run = secrets.token_hex(4)
    for number in itertools.count():
        yield _Gift(f"w{number % WALLETS:03d}", f"{run}{number:018d}")


async def bare_rates(url: str, group: int, seconds: float) -> dict[str, float]:
    """Run both loops on this store; returns gifts per second by kind of loop."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        assert address.database is not None
        return _sqlite_rates(address.database, group, seconds)
    engine = postgres_store.engine_for(address)
    try:
        async with engine.connect() as connection:
            core = await connection.run_sync(_core_rate, group, seconds)
    finally:
        await engine.dispose()
    return {"SQLAlchemy Core": core, "asyncpg": await _asyncpg_rate(url, group, seconds)}


def _sqlite_rates(path: str, group: int, seconds: float) -> dict[str, float]:
    engine = sqlite_store.engine_for(path)
    try:
        with engine.connect() as connection:
            core = _core_rate(connection, group, seconds)
            raw: Any = connection.connection.dbapi_connection
            return {"SQLAlchemy Core": core, "sqlite3": _sqlite3_rate(raw, group, seconds)}
    finally:
        engine.dispose()


def _furnish(connection: Connection) -> int:
    """Make the room and the wallets once; returns the room's last number."""
    with connection.begin():
        numbered = (
            update(room_counters)
            .where(room_counters.c.room == ROOM)
            .values(likes=0)
            .returning(room_counters.c.n)
        )
        known = connection.execute(numbered).first()
        if known is not None:
            return int(known[0])
        connection.execute(
            insert(rooms),
            {
                "id": ROOM, "tenant": TENANT, "title": "t", "language": "zh", "created_at": 0,
                "epoch": "e",
            },
        )  # fmt: skip
        connection.execute(insert(room_counters), {"tenant": TENANT, "room": ROOM})
        wallet = {"tenant": TENANT, "unit": "coins", "purpose": "wallet", "floor": 0}
        members = [f"user:w{number:03d}" for number in range(WALLETS)]
        connection.execute(
            insert(accounts),
            [{**wallet, "id": f"{m}:coins:wallet", "owner": m, "balance": COINS} for m in members],
        )
    return 0


def _core_rate(connection: Connection, group: int, seconds: float) -> float:
    n = _furnish(connection)
    statements, gifts = _statements(connection.dialect.name), _gifts()

    def one(gift: _Gift, number: int) -> None:
        for at, (statement, values) in enumerate(zip(statements, gift.values(number), strict=True)):
            done = connection.execute(statement, values)
            if at in RETURNS:
                done.one()

    started = time.monotonic()
    count = 0
    while time.monotonic() < started + seconds:
        with connection.begin():
            for _ in range(group):
                count += 1
                one(next(gifts), n + count)
    return count / (time.monotonic() - started)


def _compiled(dialect: Any) -> list[tuple[str, Callable[[Mapping[str, Any]], list[Any]]]]:
    """Turn the statements into the driver's own text and order of values."""
    made: list[tuple[str, Callable[[Mapping[str, Any]], list[Any]]]] = []
    columns: Sequence[Any] = _Gift("m", "i").values(1)
    for statement, values in zip(_statements(dialect.name), columns, strict=True):
        names = list(values[0] if isinstance(values, list) else values)
        compiled = statement.compile(dialect=dialect, column_keys=names)
        fixed = {k: v for k, v in compiled.params.items() if k not in names}
        order = compiled.positiontup or []

        def arrange(
            given: Mapping[str, Any], order: list[str] = order, fixed: dict[str, Any] = fixed
        ) -> list[Any]:
            return [given[name] if name in given else fixed[name] for name in order]

        made.append((str(compiled), arrange))
    return made


def _sqlite3_rate(raw: sqlite3.Connection, group: int, seconds: float) -> float:
    statements, gifts = _compiled(sqlite.dialect(paramstyle="qmark")), _gifts()
    n = raw.execute("SELECT n FROM room_counters WHERE room = ?", [ROOM]).fetchone()[0]
    cursor = raw.cursor()
    started = time.monotonic()
    count = 0
    while time.monotonic() < started + seconds:
        cursor.execute("BEGIN IMMEDIATE")
        for _ in range(group):
            count += 1
            values = next(gifts).values(n + count)
            for at, ((sql, arrange), given) in enumerate(zip(statements, values, strict=True)):
                if isinstance(given, list):
                    cursor.executemany(sql, [arrange(one) for one in given])
                else:
                    cursor.execute(sql, arrange(given))
                if at in RETURNS:
                    cursor.fetchall()
        cursor.execute("COMMIT")
    return count / (time.monotonic() - started)


async def _asyncpg_rate(url: str, group: int, seconds: float) -> float:
    dialect = asyncpg_dialect.dialect()  # type: ignore[no-untyped-call]
    statements, gifts = _compiled(dialect), _gifts()
    connection = await asyncpg.connect(url)
    try:
        n = await connection.fetchval("SELECT n FROM room_counters WHERE room = $1", ROOM)
        prepared = [(await connection.prepare(sql), arrange) for sql, arrange in statements]
        started = time.monotonic()
        count = 0
        while time.monotonic() < started + seconds:
            async with connection.transaction():
                for _ in range(group):
                    count += 1
                    values = next(gifts).values(n + count)
                    for (statement, arrange), given in zip(prepared, values, strict=True):
                        if isinstance(given, list):
                            await statement.executemany([arrange(one) for one in given])
                        else:
                            await statement.fetch(*arrange(given))
        return count / (time.monotonic() - started)
    finally:
        await connection.close()
