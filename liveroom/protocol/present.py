"""How each fact looks on the wire: one presenter per fact, a map of plain values out.

Public frames carry ids and nicknames, never legal names, amounts of anybody's spending, or
weights. Optional keys are left out; `last` and `product` are null where null says something.
A test walks all facts: a new one without a presenter fails.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import msgspec

from liveroom.domain.events import (
    BroadcastChanged,
    CallChanged,
    ChatRulesChanged,
    DanmakuSaid,
    Entered,
    Event,
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
from liveroom.domain.loyalty import CouponGiven, LevelChanged, PointsEarned
from liveroom.domain.receipts import (
    CoinsBought,
    GoalChanged,
    PaymentReceived,
    RefundMade,
    TipReminded,
)
from liveroom.domain.rooms import Broadcast, Room
from liveroom.protocol.messages import Fields


def present(event: Event) -> Fields:
    """Make the wire's map of an event."""
    fields: Fields = {"k": event.fact.KIND, "id": event.id, "at": event.at}
    if event.n is not None:
        fields["n"] = event.n
    if event.pn is not None:
        fields["pn"] = event.pn
    if event.cid is not None:
        fields["cid"] = event.cid
    fields.update(PRESENTERS[type(event.fact)](event.fact))
    return fields


def present_room(room: Room) -> Fields:
    """Make the public map of a room; a broadcast's report stays with the shop."""
    fields: Fields = {
        "id": room.id,
        "title": room.title,
        "merchant": room.tenant,
        "language": room.language,
        "live": room.live,
        "followers": room.followers,
    }
    _add(
        fields,
        host=room.host,
        host_name=room.host_name,
        cover=room.cover,
        planned_at=room.planned_at,
    )
    if room.broadcast is not None:
        fields["broadcast"] = _present_broadcast(room.broadcast)
    return fields


def present_slot(slot: Slot) -> Fields:
    """Make the map of one place on the stage."""
    return _without_none(asdict(slot))


def present_product(product: ProductCard | None) -> Fields | None:
    """Make the map of a product; `price` is the shop's own, in minor units."""
    if product is None:
        return None
    fields: Fields = {"id": product.id, "title": product.title, "price": product.price}
    _add(fields, stock=product.stock, was=product.was, ends_at=product.ends_at)
    return fields


def _add(fields: Fields, **optional: Any) -> None:
    fields.update({key: value for key, value in optional.items() if value is not None})


def _without_none(fields: Fields) -> Fields:
    return {key: value for key, value in fields.items() if value is not None}


def _present_broadcast(broadcast: Broadcast) -> Fields:
    fields: Fields = {
        "id": broadcast.id,
        "title": broadcast.title,
        "phase": broadcast.phase.value,
        "started_at": broadcast.started_at,
    }
    _add(fields, cover=broadcast.cover, planned_at=broadcast.planned_at)
    _add(fields, ended_at=broadcast.ended_at)
    return fields


def _last(last: LastPurchase | None) -> Fields | None:
    return None if last is None else asdict(last)


def _gift(fact: GiftSent) -> Fields:
    fields = asdict(fact)
    if fact.context is None:
        del fields["context"]
    return fields


def _ritual(fact: RitualPerformed) -> Fields:
    fields: Fields = {"user": fact.user, "name": fact.name, "nth": fact.nth, "text": fact.text}
    _add(fields, texts=fact.texts or None)
    return fields


def _order(fact: OrderPaid) -> Fields:
    fields: Fields = {"product": fact.product, "title": fact.title}
    _add(fields, user=fact.user, name=fact.name)
    return fields


def _plain(fact: Any) -> Fields:
    """Show every field of a fact as it is."""
    return asdict(fact)


def _stage(fact: StageChanged) -> Fields:
    return {"slots": [present_slot(slot) for slot in fact.slots], "private": fact.private}


def _queue(fact: QueueChanged) -> Fields:
    return {"asked": [asdict(asked) for asked in fact.asked], "seats": fact.seats}


def _personal(fact: MicChanged | Seated | CallChanged | PkInvited) -> Fields:
    return _without_none(asdict(fact))


def _sided(fact: RoundChanged | PkScored) -> Fields:
    return _without_none(asdict(fact)) | {"sides": [asdict(side) for side in fact.sides]}


def _speaker(fact: SpeakerChanged) -> Fields:
    return {"user": fact.user}


def _pin(fact: ProductPinned) -> Fields:
    return {"product": present_product(fact.product)}


def _broadcast(fact: BroadcastChanged) -> Fields:
    fields: Fields = {"broadcast": fact.broadcast, "phase": fact.phase, "title": fact.title}
    _add(fields, started_at=fact.started_at)
    return fields


def _recognised(fact: Recognised) -> Fields:
    fields: Fields = {
        "user": fact.user,
        "name": fact.name,
        "tier": fact.tier,
        "orders": fact.orders,
        "visits": fact.visits,
        "last": _last(fact.last),
        "prefers": list(fact.prefers),
        "suggest": fact.suggest,
    }
    _add(fields, suggests=fact.suggests or None)
    return fields


def _welcome_back(fact: WelcomedBack) -> Fields:
    fields: Fields = {
        "tier": fact.tier,
        "orders": fact.orders,
        "visits": fact.visits,
        "name": fact.name,
    }
    _add(fields, last=_last(fact.last))
    return fields


def _danmaku(fact: DanmakuSaid) -> Fields:
    fields: Fields = {"user": fact.user, "name": fact.name, "text": fact.text}
    _add(fields, badge=fact.badge)
    return fields


def _enter(fact: Entered) -> Fields:
    return {"user": fact.user, "name": fact.name, "tier": fact.tier}


def _deleted(fact: LinesDeleted) -> Fields:
    return {"lines": list(fact.lines)}


def _chat(fact: ChatRulesChanged) -> Fields:
    return {"slow_ms": fact.slow_ms}


def _sanction(fact: Sanctioned) -> Fields:
    return {"act": fact.act, "until": fact.until, "reason": fact.reason}


def _report(fact: LineReported) -> Fields:
    return asdict(fact)


def _said_by_shop(fact: NoticeGiven | MessageSent | SignalSent) -> Fields:
    return {"name": fact.name, "text": fact.text, "data": msgspec.json.decode(fact.data)}


PRESENTERS: Final[dict[type, Callable[..., Fields]]] = {
    GiftSent: _gift,
    RitualPerformed: _ritual,
    OrderPaid: _order,
    PaymentReceived: _plain,
    RefundMade: _plain,
    CoinsBought: _plain,
    TipReminded: _plain,
    GoalChanged: _plain,
    CouponGiven: _plain,
    LevelChanged: _plain,
    PointsEarned: _plain,
    StageChanged: _stage,
    QueueChanged: _queue,
    MicChanged: _personal,
    Seated: _personal,
    CallChanged: _personal,
    SpeakerChanged: _speaker,
    RoundChanged: _sided,
    PkScored: _sided,
    PkInvited: _personal,
    ProductPinned: _pin,
    BroadcastChanged: _broadcast,
    Recognised: _recognised,
    WelcomedBack: _welcome_back,
    DanmakuSaid: _danmaku,
    Entered: _enter,
    LinesDeleted: _deleted,
    ChatRulesChanged: _chat,
    Sanctioned: _sanction,
    LineReported: _report,
    NoticeGiven: _said_by_shop,
    MessageSent: _said_by_shop,
    SignalSent: _said_by_shop,
}
"""One for each member of `Fact`."""
