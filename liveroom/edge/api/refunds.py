"""Routes of refunds: take an order back, list what was refunded, hear from the provider."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from liveroom.domain.ids import OrderId
from liveroom.domain.orders import LINES_MAX, QUANTITY_MAX
from liveroom.domain.refunds import REASON_LENGTH_MAX, RefundState, Returned
from liveroom.edge.api.table import ANYONE, MERCHANTS, PRINTED, Call, Key, Number, Row
from liveroom.edge.notices import read_refund_notice

Reason = Annotated[str, Meta(max_length=REASON_LENGTH_MAX, pattern=PRINTED)]


class ReturnedBody(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of a line, by its place in the order from 0."""

    line: Annotated[int, Meta(ge=0, lt=LINES_MAX)]
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]


class RefundBody(msgspec.Struct, frozen=True, kw_only=True):
    """What comes back; without `lines` everything that is left. `restock` puts it on sale again."""

    lines: Annotated[list[ReturnedBody], Meta(min_length=1, max_length=LINES_MAX)] | None = None
    reason: Reason = ""
    restock: bool = True


class RefundShown(msgspec.Struct, frozen=True, kw_only=True):
    """A refund; `amount` in fen, `state` tells where its money is, `whole` that nothing is left."""

    id: str
    order: str
    amount: Number
    state: RefundState
    whole: bool


class RefundLine(msgspec.Struct, frozen=True, kw_only=True):
    """One refund of an order; `at` UTC milliseconds."""

    id: str
    amount: Number
    state: RefundState
    reason: str
    actor: str
    at: Number
    attempts: Number


class RefundList(msgspec.Struct, frozen=True, kw_only=True):
    """The refunds of an order, oldest first."""

    refunds: list[RefundLine]


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A notice was understood; `changed` tells whether it was news."""

    changed: bool


async def refund(call: Call, body: RefundBody) -> RefundShown:
    """Refund an order or lines of it."""
    asked = [Returned(line=one.line, quantity=one.quantity) for one in body.lines or ()]
    done = await call.backend.services.refunding.refund(
        call.bearer(),
        OrderId(call.path_id("order", "no_such_order")),
        asked,
        reason=body.reason,
        restock=body.restock,
        key=call.idempotency_key(),
    )
    return RefundShown(
        id=done.id, order=done.order, amount=done.amount, state=done.state, whole=done.whole
    )


async def list_refunds(call: Call) -> Any:
    """List the refunds of an order."""
    rows = await call.backend.services.refunding.of_order(
        call.bearer(), OrderId(call.path_id("order", "no_such_order"))
    )
    return RefundList(
        refunds=[
            RefundLine(
                id=row.id,
                amount=row.amount,
                state=RefundState(row.state),
                reason=row.reason,
                actor=row.actor,
                at=row.at,
                attempts=row.attempts,
            )
            for row in rows
        ]
    )


async def take_notice(call: Call) -> Settled:
    """Take the payment provider's signed word on a refund."""
    notice = read_refund_notice(
        call.raw,
        call.headers.get("liveroom-signature", ""),
        secret=call.backend.config.payment_secret,
        at=call.backend.now_ms() // 1000,
    )
    return Settled(changed=await call.backend.services.refunding.noticed(notice))


ROWS = (
    Row(
        method="POST",
        path="/v1/orders/{order}/refunds",
        summary="Refund an order, or lines of it.",
        handle=refund,
        access=MERCHANTS,
        body=RefundBody,
        answer=RefundShown,
        status=201,
        key=Key.REQUIRED,
        refusals=("no_such_order", "other_room", "nothing_to_refund", "idempotency_mismatch"),
    ),
    Row(
        method="GET",
        path="/v1/orders/{order}/refunds",
        summary="List the refunds of an order.",
        handle=list_refunds,
        access=MERCHANTS,
        answer=RefundList,
        refusals=("no_such_order", "other_room"),
    ),
    Row(
        method="POST",
        path="/v1/refunds/notice",
        summary="Report how a refund went (the provider, signed).",
        handle=take_notice,
        access=ANYONE,
        answer=Settled,
        refusals=("bad_token", "bad_request", "invalid", "unavailable"),
    ),
)
