"""Routes of imports: begin one, send its rows, see how far it is.

Rows are read one by one: what is wrong with one is kept with its line, the others go in.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from liveroom.domain.ids import OrderId, ProductId, UserId
from liveroom.domain.imports import CHUNK_ROWS_MAX, ROWS_MAX, Import, ImportKind, RowFault
from liveroom.domain.members import MemberDraft
from liveroom.domain.orders import LINES_MAX, OrderDraft, OrderLine
from liveroom.domain.refusals import Refused
from liveroom.edge.api.members import MemberBody
from liveroom.edge.api.shop import Price, Quantity, Time
from liveroom.edge.api.table import MERCHANTS, Call, Id, Name, Number, Row, Title
from liveroom.edge.api.values import decode
from liveroom.service.importing import ImportRow, PastOrder

RowNumber = Annotated[int, Meta(ge=0, le=ROWS_MAX)]
LINE_MAX = 2**40


class ImportBody(msgspec.Struct, frozen=True, kw_only=True):
    """An import: an id of yours, what its rows are, how many."""

    id: Id
    kind: ImportKind
    total: Annotated[int, Meta(ge=1, le=ROWS_MAX)]


class RowBody(msgspec.Struct, frozen=True, kw_only=True):
    """One row: its line in the file, and a member or a past order."""

    line: Annotated[int, Meta(ge=0, le=LINE_MAX)]
    row: msgspec.Raw


class RowsBody(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of an import, from its `first` one (counted from 0) on."""

    first: RowNumber
    rows: Annotated[list[RowBody], Meta(min_length=1, max_length=CHUNK_ROWS_MAX)]


class PastLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a past order; `title` where the product is no longer known."""

    product: Id
    quantity: Quantity
    unit_price: Price
    title: Title | None = None
    category: Name | None = None


class PastOrderBody(msgspec.Struct, frozen=True, kw_only=True):
    """A past order; `paid_at` UTC milliseconds. It takes no stock and fires nothing."""

    id: Id
    user: Id
    paid_at: Time
    lines: Annotated[list[PastLine], Meta(min_length=1, max_length=LINES_MAX)]


class FaultShown(msgspec.Struct, frozen=True, kw_only=True):
    """Why a row was left out, by its line in the file."""

    line: Number
    code: str
    why: str


class ImportShown(msgspec.Struct, frozen=True, kw_only=True):
    """How far an import is: go on with row `next`; finished when it is `total`."""

    id: str
    kind: ImportKind
    total: Number
    next: Number
    done: Number
    failed: Number
    faults: list[FaultShown] = []


def _shown(state: Import, faults: list[RowFault]) -> ImportShown:
    return ImportShown(**asdict(state), faults=[FaultShown(**asdict(one)) for one in faults])


async def begin(call: Call, body: ImportBody) -> ImportShown:
    """Begin an import, or find out how far it is."""
    state = await call.backend.services.importing.begin(
        call.bearer(), body.id, body.kind, body.total
    )
    return _shown(state, [])


def _member(raw: bytes) -> MemberDraft:
    body = decode(MemberBody, raw)
    fields = msgspec.structs.asdict(body)
    return MemberDraft(**{**fields, "id": UserId(body.id)})


def _order(raw: bytes) -> PastOrder:
    body = decode(PastOrderBody, raw)
    lines = tuple(
        OrderLine(
            product=ProductId(line.product), quantity=line.quantity, unit_price=line.unit_price
        )
        for line in body.lines
    )
    return PastOrder(
        draft=OrderDraft(
            id=OrderId(body.id), user=UserId(body.user), lines=lines, paid_at=body.paid_at
        ),
        titles=tuple(line.title for line in body.lines),
        categories=tuple(line.category for line in body.lines),
    )


READERS: dict[ImportKind, Callable[[bytes], MemberDraft | PastOrder]] = {
    ImportKind.MEMBERS: _member,
    ImportKind.ORDERS: _order,
}


def _read(kind: ImportKind, row: RowBody) -> ImportRow:
    try:
        return ImportRow(line=row.line, content=READERS[kind](bytes(row.row)))
    except Refused as refused:
        fault = RowFault(line=row.line, code=refused.code, why=refused.why)
        return ImportRow(line=row.line, content=fault)


async def add(call: Call, body: RowsBody) -> ImportShown:
    """Send rows of an import."""
    importing, id = call.backend.services.importing, call.path_id("import", "no_such_import")
    state, _ = await importing.state(call.bearer(), id)
    rows = [_read(state.kind, row) for row in body.rows]
    return _shown(await importing.add(call.bearer(), id, body.first, rows), [])


async def show(call: Call) -> Any:
    """Show how far an import is and what was wrong."""
    id = call.path_id("import", "no_such_import")
    return _shown(*await call.backend.services.importing.state(call.bearer(), id))


ROWS = (
    Row(
        method="POST",
        path="/v1/imports",
        summary="Begin an import of members or past orders, or find out how far it is.",
        handle=begin,
        access=MERCHANTS,
        body=ImportBody,
        answer=ImportShown,
        status=201,
        refusals=("exists",),
    ),
    Row(
        method="POST",
        path="/v1/imports/{import}/rows",
        summary="Send rows of an import.",
        handle=add,
        access=MERCHANTS,
        body=RowsBody,
        answer=ImportShown,
        refusals=("no_such_import", "import_elsewhere"),
    ),
    Row(
        method="GET",
        path="/v1/imports/{import}",
        summary="Show how far an import is, and its first faults by line.",
        handle=show,
        access=MERCHANTS,
        answer=ImportShown,
        refusals=("no_such_import",),
    ),
)
