"""Every fact has a presenter, and no frame says more than its audience may know."""

from dataclasses import fields
from typing import Any, get_args

import msgspec
import pytest

from liveroom.domain.delivery import Audience, Delivery
from liveroom.domain.events import (
    Asked,
    BroadcastChanged,
    CallChanged,
    ChatRulesChanged,
    DanmakuSaid,
    Entered,
    Event,
    Fact,
    GiftSent,
    LastPurchase,
    LineReported,
    LinesDeleted,
    MessageSent,
    MicChanged,
    NoticeGiven,
    OrderPaid,
    PkInvited,
    PkScored,
    PkSide,
    ProductCard,
    ProductPinned,
    QueueChanged,
    Recognised,
    RitualPerformed,
    RoundChanged,
    Sanctioned,
    Seated,
    SignalSent,
    Slot,
    SpeakerChanged,
    StageChanged,
    WelcomedBack,
)
from liveroom.domain.ids import BroadcastId, EventId, OrderId, ProductId, RoomId, TenantId, UserId
from liveroom.domain.loyalty import CouponGiven, LevelChanged, PointsEarned
from liveroom.domain.receipts import (
    CoinsBought,
    GoalChanged,
    PaymentReceived,
    RefundMade,
    TipReminded,
)
from liveroom.domain.rooms import Broadcast, Phase, Report, Room
from liveroom.protocol.present import PRESENTERS, present, present_product, present_room

USER, PRODUCT = UserId("ming"), ProductId("lip")
LAST = LastPurchase(product=PRODUCT, title="口红", at=5, days=3)

ROOM = RoomId("r")
SIDES = (PkSide(room=ROOM, user=USER, name="小明", score=12, supporters=3),)

FACTS: list[Fact] = [
    GiftSent(user=USER, name="小明", gift="rose", count=2, combo=5),
    RitualPerformed(user=USER, name="小明", nth=3, text="谢谢", texts={"en": "Thanks"}),
    OrderPaid(product=PRODUCT, title="口红", user=USER, name="小明"),
    PaymentReceived(order=OrderId("o"), product=PRODUCT, title="口红", amount=990, nth=3),
    StageChanged(slots=(Slot(slot=0, user=USER, name="小明", live=True),)),
    ProductPinned(product=ProductCard(id=PRODUCT, title="口红", price=990, stock=4)),
    BroadcastChanged(broadcast=BroadcastId("b"), phase="live", title="Evening", started_at=7),
    Recognised(
        user=USER,
        name="小明",
        tier="gold",
        orders=3,
        visits=2,
        last=LAST,
        prefers=("red",),
        suggest="Say hi",
        suggests={"zh": "问好"},
        value=123_456,
    ),
    WelcomedBack(tier="gold", orders=3, visits=2, name="小明", last=LAST),
    DanmakuSaid(user=USER, name="小明", text="hi", badge="gold", weight=3.5),
    Entered(user=USER, name="小明", tier="gold"),
    LinesDeleted(lines=(EventId("l1"),)),
    Sanctioned(act="mute", until=9, rank=2, reason="spam"),
    ChatRulesChanged(slow_ms=5_000),
    LineReported(
        line=EventId("l1"),
        user=USER,
        name="小明",
        text="hi",
        count=2,
        held=False,
        reason="spam",
    ),
    QueueChanged(asked=(Asked(user=USER, name="小明", tier="gold", at=3),), seats=4),
    MicChanged(phase="asked", position=2),
    Seated(slot=1, whip_url="http://h/v1/rooms/r/whip", token="t"),
    CallChanged(phase="invited", user=USER, name="小明"),
    SpeakerChanged(user=USER),
    NoticeGiven(name="sale", text="now", data='{"sku":7}'),
    MessageSent(name="sale", text="now", data="{}"),
    SignalSent(name="sale", text="now", data="{}"),
    RefundMade(refund="r", order=OrderId("o"), amount=5, whole=True),
    CoinsBought(order=OrderId("o"), coins=60, coins_left=70),
    TipReminded(coins=9, pause_ms=0),
    GoalChanged(goal="g", title="t", percent=50, phase="open", ends_at=9),
    RoundChanged(
        round="p", type="pk", phase="settled", started_at=1, deadline=9, sides=SIDES, winner=ROOM
    ),
    PkScored(round="p", sides=SIDES),
    PkInvited(
        round="p",
        phase="invited",
        incoming=True,
        room=ROOM,
        user=USER,
        name="小明",
        seconds=300,
        deadline=9,
    ),
    CouponGiven(coupon="c1", template="t", title="满200减50", expires_at=9, why="claim"),
    LevelChanged(user=USER, move="raised", before="basic", tier="silver"),
    PointsEarned(points=5, why="checkin"),
]

SPENDING = {"amount", "value", "weight", "spent", "revenue", "coins", "gift_coins", "balance"}


def event(fact: Fact, **envelope: Any) -> Event:
    return Event(id=EventId("e1"), room=RoomId("r"), at=9, fact=fact, **envelope)


def keys_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(keys_in, value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*map(keys_in, value))
    return set()


def test_every_fact_has_a_presenter_and_an_example_here() -> None:
    assert set(PRESENTERS) == set(get_args(Fact)) == {type(fact) for fact in FACTS}


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.KIND)
def test_every_frame_has_its_envelope_and_travels_in_both_codecs(fact: Fact) -> None:
    shown = present(event(fact, n=4, cid="c1"))
    assert {"k": fact.KIND, "id": "e1", "at": 9, "n": 4, "cid": "c1"}.items() <= shown.items()
    assert msgspec.json.decode(msgspec.json.encode(shown)) == shown
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(shown)) == shown


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.KIND)
def test_absent_numbers_leave_no_key(fact: Fact) -> None:
    assert not {"n", "pn", "cid"} & set(present(event(fact)))


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.KIND)
def test_nobody_elses_spending_is_shown(fact: Fact) -> None:
    if fact.AUDIENCE is not Audience.ONE:
        assert not keys_in(present(event(fact))) & SPENDING


@pytest.mark.parametrize(
    ("fact", "keys"),
    [
        (FACTS[0], {"user", "name", "gift", "count", "combo"}),
        (FACTS[1], {"user", "name", "nth", "text", "texts"}),
        (FACTS[2], {"product", "title", "user", "name"}),
        (
            FACTS[7],
            {"user", "name", "tier", "orders", "visits", "last", "prefers", "suggest", "suggests"},
        ),
        (FACTS[8], {"tier", "orders", "visits", "name", "last"}),
        (FACTS[9], {"user", "name", "text", "badge"}),
        (FACTS[10], {"user", "name", "tier"}),
        (FACTS[11], {"lines"}),
        (FACTS[12], {"act", "until", "reason"}),
        (FACTS[13], {"slow_ms"}),
        (FACTS[20], {"name", "text", "data"}),
        (
            LevelChanged(user=USER, move="raised", before="basic", tier="silver"),
            {"user", "move", "tier", "before", "missing"},
        ),
        (FACTS[14], {"line", "user", "name", "text", "count", "held", "reason"}),
    ],
    ids=lambda value: getattr(value, "KIND", ""),
)
def test_the_contracts_keys(fact: Fact, keys: set[str]) -> None:
    assert set(present(event(fact))) - {"k", "id", "at"} == keys


def test_an_order_without_consent_names_nobody() -> None:
    shown = present(event(OrderPaid(product=PRODUCT, title="口红")))
    assert not {"user", "name"} & set(shown)


def test_null_says_something_where_the_contract_says_null() -> None:
    never = Recognised(
        user=USER, name="n", tier="basic", orders=0, visits=2, last=None, prefers=(), suggest=""
    )
    assert present(event(never))["last"] is None
    assert present(event(ProductPinned(product=None)))["product"] is None
    assert "stock" not in (present_product(ProductCard(id=PRODUCT, title="t", price=1)) or {})


def test_a_room_shows_no_report_of_its_broadcast() -> None:
    report = Report(**{field.name: 7 for field in fields(Report)})
    broadcast = Broadcast(
        id=BroadcastId("b"),
        room=RoomId("r"),
        title="Evening",
        cover=None,
        phase=Phase.LIVE,
        planned_at=None,
        started_at=3,
        report=report,
    )
    room = Room(
        id=RoomId("r"),
        tenant=TenantId("shop"),
        title="Room",
        host=USER,
        cover=None,
        language="zh",
        planned_at=None,
        created_at=1,
        broadcast=broadcast,
    )
    shown = present_room(room)
    assert shown["live"] is True
    assert shown["broadcast"]["phase"] == "live"
    assert not keys_in(shown) & SPENDING
    assert "cover" not in shown


def test_classes_of_the_contract() -> None:
    classes = {fact.KIND: fact.DELIVERY for fact in FACTS}
    assert classes["gift"] is Delivery.MONEY
    assert classes["danmaku"] is Delivery.TEXT
    assert classes["enter"] is Delivery.AMBIENT
