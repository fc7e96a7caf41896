"""Routes of coins: packs, buying, taking back, cases of guardians, a room's goal, earnings."""

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from liveroom.domain.coins import Case, CaseState
from liveroom.domain.ids import OrderId, UserId
from liveroom.domain.orders import TIME_MAX
from liveroom.domain.refunds import REASON_LENGTH_MAX
from liveroom.edge.api.refunds import Reason, RefundShown
from liveroom.edge.api.shop import CheckoutShown
from liveroom.edge.api.table import (
    ANYONE,
    AUDIENCE,
    HOSTS,
    MERCHANTS,
    PRINTED,
    Amount,
    Call,
    Id,
    Key,
    Number,
    Row,
)
from liveroom.protocol.limits import Kind
from liveroom.service.goals import LASTS_MS_MAX, LASTS_MS_MIN, TARGET_MAX, TITLE_LENGTH_MAX

Time = Annotated[int, Meta(ge=0, le=TIME_MAX)]


class PackShown(msgspec.Struct, frozen=True, kw_only=True):
    """So many coins for `price` fen, and `bonus` on top."""

    id: str
    coins: Number
    bonus: Number
    price: Number


class PackList(msgspec.Struct, frozen=True, kw_only=True):
    """What can be bought, cheapest first."""

    packs: list[PackShown]


class PurchaseBody(msgspec.Struct, frozen=True, kw_only=True):
    """The pack to buy."""

    pack: Id


class CoinRefundBody(msgspec.Struct, frozen=True, kw_only=True):
    """Why what is left of a purchase goes back."""

    reason: Reason = ""


class CaseBody(msgspec.Struct, frozen=True, kw_only=True):
    """Whose money of which time is asked back, and why; times UTC milliseconds."""

    member: Id
    since: Time
    until: Time
    reason: Annotated[str, Meta(min_length=1, max_length=REASON_LENGTH_MAX, pattern=PRINTED)]


class DecisionBody(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a case is approved; another person than who opened it says so."""

    approve: bool
    note: Reason = ""


class CaseShown(msgspec.Struct, frozen=True, kw_only=True):
    """A case; `coins` taken back so far, `amount` fen paid back."""

    id: str
    member: str
    reason: str
    since: Number
    until: Number
    state: CaseState
    opened_by: str
    opened_at: Number
    decided_by: str | None
    decided_at: Number | None
    note: str
    coins: Number
    amount: Number


class CaseList(msgspec.Struct, frozen=True, kw_only=True):
    """The shop's cases, newest first."""

    cases: list[CaseShown]


class GoalBody(msgspec.Struct, frozen=True, kw_only=True):
    """What to collect for: `target` coins, for so long."""

    title: Annotated[str, Meta(min_length=1, max_length=TITLE_LENGTH_MAX, pattern=PRINTED)]
    target: Annotated[int, Meta(ge=1, le=TARGET_MAX)]
    lasts_ms: Annotated[int, Meta(ge=LASTS_MS_MIN, le=LASTS_MS_MAX)] = LASTS_MS_MAX


class GoalState(msgspec.Struct, frozen=True, kw_only=True):
    """A goal as it stands."""

    id: str
    title: str
    target: Number
    coins: Number
    ends_at: Number
    state: str


class GoalShown(msgspec.Struct, frozen=True, kw_only=True):
    """What the room collects for, null when for nothing."""

    goal: GoalState | None


class EarningsShown(msgspec.Struct, frozen=True, kw_only=True):
    """A host's coins: not theirs yet, theirs, and what they owe."""

    host: str
    pending: Amount
    available: Number
    owed: Number


async def list_packs(call: Call) -> PackList:
    """List what can be bought."""
    packs = call.backend.services.coins.packs()
    return PackList(
        packs=[PackShown(id=p.id, coins=p.coins, bonus=p.bonus, price=p.price) for p in packs]
    )


async def buy(call: Call, body: PurchaseBody) -> CheckoutShown:
    """Open a payment for a pack."""
    opened = await call.backend.services.coins.buy(
        call.bearer(), call.place().id, body.pack, call.idempotency_key()
    )
    return CheckoutShown(**asdict(opened))


async def refund(call: Call, body: CoinRefundBody) -> RefundShown:
    """Give back what is left of a purchase."""
    done = await call.backend.services.coins.refund(
        call.bearer(),
        OrderId(call.path_id("order", "no_such_order")),
        body.reason,
        call.idempotency_key(),
    )
    return RefundShown(**asdict(done))


def _shown(case: Case) -> CaseShown:
    return CaseShown(**asdict(case))


async def open_case(call: Call, body: CaseBody) -> CaseShown:
    """Open a case."""
    case = await call.backend.services.unwinding.open(
        call.bearer(),
        UserId(body.member),
        since=body.since,
        until=body.until,
        reason=body.reason,
        key=call.idempotency_key(),
    )
    return _shown(case)


async def decide_case(call: Call, body: DecisionBody) -> CaseShown:
    """Decide a case."""
    case = await call.backend.services.unwinding.decide(
        call.bearer(), call.path_id("case", "no_such_case"), approve=body.approve, note=body.note
    )
    return _shown(case)


async def list_cases(call: Call) -> CaseList:
    """List the shop's cases."""
    found = await call.backend.services.unwinding.listed(call.bearer())
    return CaseList(cases=[_shown(case) for case in found])


def _goal(goal: Any) -> GoalShown:
    return GoalShown(goal=None if goal is None else GoalState(**asdict(goal)))


async def open_goal(call: Call, body: GoalBody) -> GoalShown:
    """Open the room's goal."""
    opened = await call.backend.services.goals.open(
        call.bearer(),
        call.place().id,
        title=body.title,
        target=body.target,
        lasts_ms=body.lasts_ms,
    )
    return _goal(opened)


async def end_goal(call: Call) -> GoalShown:
    """End the room's goal."""
    return _goal(await call.backend.services.goals.end(call.bearer(), call.place().id))


async def show_goal(call: Call) -> GoalShown:
    """Show what the room collects for."""
    return _goal(await call.backend.services.goals.current(call.place().id))


async def show_earnings(call: Call) -> EarningsShown:
    """Show what the asking host has earned."""
    return EarningsShown(**asdict(await call.backend.services.earning.of(call.bearer())))


ROWS = (
    Row(
        method="GET",
        path="/v1/coins",
        summary="List the packs of coins there are.",
        handle=list_packs,
        access=ANYONE,
        answer=PackList,
    ),
    Row(
        method="POST",
        path="/v1/rooms/{room}/coins",
        summary="Buy coins: open a payment.",
        handle=buy,
        access=AUDIENCE,
        body=PurchaseBody,
        answer=CheckoutShown,
        status=201,
        key=Key.REQUIRED,
        rate=Kind.ASK,
        refusals=(
            "anonymous", "age_unconfirmed", "no_such_pack", "idempotency_mismatch",
            "unavailable", "rate",
        ),
    ),
    Row(
        method="POST",
        path="/v1/coins/{order}/refund",
        summary="Give back what is left of a purchase of coins.",
        handle=refund,
        access=MERCHANTS,
        body=CoinRefundBody,
        answer=RefundShown,
        status=201,
        key=Key.REQUIRED,
        refusals=("no_such_order", "nothing_to_refund", "idempotency_mismatch"),
    ),
    Row(
        method="POST",
        path="/v1/cases",
        summary="Open a case: a guardian asks for a minor's money back.",
        handle=open_case,
        access=MERCHANTS,
        body=CaseBody,
        answer=CaseShown,
        status=201,
        key=Key.REQUIRED,
        refusals=("no_such_user", "idempotency_mismatch"),
    ),
    Row(
        method="GET",
        path="/v1/cases",
        summary="List the shop's cases.",
        handle=list_cases,
        access=MERCHANTS,
        answer=CaseList,
    ),
    Row(
        method="POST",
        path="/v1/cases/{case}/decision",
        summary="Decide a case.",
        handle=decide_case,
        access=MERCHANTS,
        body=DecisionBody,
        answer=CaseShown,
        refusals=("no_such_case", "case_decided"),
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}/goal",
        summary="Show what the room collects for.",
        handle=show_goal,
        access=ANYONE,
        answer=GoalShown,
    ),
    Row(
        method="POST",
        path="/v1/rooms/{room}/goal",
        summary="Open the room's goal.",
        handle=open_goal,
        access=HOSTS,
        body=GoalBody,
        answer=GoalShown,
        status=201,
        refusals=("goal_open",),
    ),
    Row(
        method="DELETE",
        path="/v1/rooms/{room}/goal",
        summary="End the room's goal.",
        handle=end_goal,
        access=HOSTS,
        answer=GoalShown,
    ),
    Row(
        method="GET",
        path="/v1/me/earnings",
        summary="Show what I have earned as a host.",
        handle=show_earnings,
        access=HOSTS,
        answer=EarningsShown,
    ),
)  # fmt: skip
