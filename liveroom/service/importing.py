"""Imports members and order history in chunks: resumable, each row whole, firing nothing.

A chunk, the progress and the faults of its rows are one transaction. A chunk sent again
changes nothing; one interrupted before its commit has not happened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update

from liveroom.domain.actors import Actor
from liveroom.domain.ids import TenantId
from liveroom.domain.imports import ROWS_MAX, Import, ImportKind, RowFault, new_rows
from liveroom.domain.members import COINS_MAX, MemberDraft
from liveroom.domain.orders import OrderDraft, Product, check_amount, total_of
from liveroom.domain.refusals import Refused
from liveroom.service.access import MERCHANTS, Access, require
from liveroom.service.members import Members
from liveroom.service.ordering import Ordering
from liveroom.service.ports import Ports
from liveroom.service.profiles import Profiles
from liveroom.store import keys, shop
from liveroom.store.dialect import insert_new
from liveroom.store.port import Transaction
from liveroom.store.tables import import_faults, imports

FAULTS_LISTED_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PastOrder:
    """An order of the past with what its products are called."""

    draft: OrderDraft
    titles: tuple[str | None, ...]
    categories: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """One row as the file has it: what it says, or why it cannot be read."""

    line: int
    content: MemberDraft | PastOrder | RowFault


class Importing:
    """Takes in what a shop brings along."""

    def __init__(
        self,
        ports: Ports,
        access: Access,
        profiles: Profiles,
        members: Members,
        ordering: Ordering,
    ) -> None:
        self._ports = ports
        self._access = access
        self._profiles = profiles
        self._members = members
        self._ordering = ordering

    async def begin(self, actor: Actor, id: str, kind: ImportKind, total: int) -> Import:
        """Begin an import, or find out how far it is.

        Raises:
            Refused: `forbidden`, `invalid`, `exists` when the id has other rows.

        """
        require(actor, MERCHANTS)
        check_amount("total", total, least=1, most=ROWS_MAX)
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def command(tx: Transaction) -> Import:
            values = {
                "tenant": tenant, "id": id, "kind": kind, "total": total, "actor": actor.user,
                "created_at": at,
            }  # fmt: skip
            insert_new(tx, imports, values)
            state = _import_of(_locked(tx, tenant, id))
            if (state.kind, state.total) != (kind, total):
                raise Refused("exists")
            return state

        return await self._ports.store.run(command)

    async def add(self, actor: Actor, id: str, first: int, rows: Sequence[ImportRow]) -> Import:
        """Carry rows out, from the `first` one of the import on; those done before are not.

        Raises:
            Refused: `forbidden`, `no_such_import`, `import_elsewhere`, `invalid`.

        """
        require(actor, MERCHANTS)
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def command(tx: Transaction) -> Import:
            state = _import_of(_locked(tx, tenant, id))
            known = new_rows(state, first, len(rows))
            faults = [
                (state.next + number, fault)
                for number, row in enumerate(rows[known:])
                if (fault := self._carry_out(tx, tenant, id, row, at)) is not None
            ]
            if faults:
                tx.execute(insert(import_faults), [
                    {"tenant": tenant, "import_id": id, "row": number, "line": fault.line,
                     "code": fault.code, "why": fault.why}
                    for number, fault in faults
                ])  # fmt: skip
            new = len(rows) - known
            mine = update(imports).where(imports.c.tenant == tenant, imports.c.id == id)
            changed = mine.values(
                next=imports.c.next + new,
                done=imports.c.done + new - len(faults),
                failed=imports.c.failed + len(faults),
            )
            return _import_of(tx.execute(changed.returning(imports)).one())

        state = await self._ports.store.run(command)
        for row in rows:
            if isinstance(row.content, MemberDraft):
                self._profiles.forget(tenant, row.content.id)
            elif isinstance(row.content, PastOrder):
                self._profiles.forget(tenant, row.content.draft.user)
        return state

    def _carry_out(
        self, tx: Transaction, tenant: TenantId, id: str, row: ImportRow, at: int
    ) -> RowFault | None:
        """Carry one row out whole; returns why it was left out."""
        content = row.content
        if isinstance(content, RowFault):
            return content
        savepoint = tx.begin_nested()
        try:
            if isinstance(content, MemberDraft):
                check_amount("coins", content.coins, least=0, most=COINS_MAX)
                self._members.write(tx, tenant, content, f"{id}/{row.line}", at)
            else:
                self._record(tx, tenant, content, at)
        except Refused as refused:
            savepoint.rollback()
            return RowFault(line=row.line, code=refused.code, why=refused.why)
        savepoint.commit()
        return None

    def _record(self, tx: Transaction, tenant: TenantId, past: PastOrder, at: int) -> None:
        draft = past.draft
        total_of(draft.lines)
        known = shop.find_order(tx, tenant, draft.id)
        if known is not None:
            if known.fingerprint != keys.fingerprint_of(draft):
                raise Refused("exists")
            return
        sold = shop.find_products(tx, tenant, {line.product for line in draft.lines})
        bought: list[Product] = []
        for line, title, category in zip(draft.lines, past.titles, past.categories, strict=True):
            product = sold.get(line.product)
            if product is None and title is None:
                raise Refused(
                    "no_such_product", f"There is no product {line.product}; give a title."
                )
            bought.append(
                Product(
                    id=line.product,
                    title=title or (product.title if product else line.product),
                    price=line.unit_price,
                    category=category or (product.category if product else None),
                )
            )
        self._ordering.record(tx, tenant, draft, bought, at=at, imported=True)

    async def state(self, actor: Actor, id: str) -> tuple[Import, list[RowFault]]:
        """Tell how far an import is, and what was wrong with its first faulty rows.

        Raises:
            Refused: `forbidden`, `no_such_import`.

        """
        require(actor, MERCHANTS)
        tenant = await self._access.tenant(actor)

        def command(tx: Transaction) -> tuple[Import, list[RowFault]]:
            state = _import_of(_locked(tx, tenant, id))
            table = import_faults.c
            mine = select(import_faults).where(table.tenant == tenant, table.import_id == id)
            rows = tx.execute(mine.order_by(table.row).limit(FAULTS_LISTED_MAX))
            return state, [RowFault(line=row.line, code=row.code, why=row.why) for row in rows]

        return await self._ports.store.run(command)


def _locked(tx: Transaction, tenant: TenantId, id: str) -> Row[Any]:
    mine = select(imports).where(imports.c.tenant == tenant, imports.c.id == id)
    row = tx.execute(mine.with_for_update()).first()
    if row is None:
        raise Refused("no_such_import")
    return row


def _import_of(row: Row[Any]) -> Import:
    return Import(
        id=row.id,
        kind=ImportKind(row.kind),
        total=row.total,
        next=row.next,
        done=row.done,
        failed=row.failed,
    )
