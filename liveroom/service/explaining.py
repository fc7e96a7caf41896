"""Explanations (讲解): what lies between the pinning of a product and whatever ends it."""

from liveroom.domain.ids import BroadcastId, NewId, ProductId
from liveroom.domain.recordings import Segment, SegmentId
from liveroom.store import recordings
from liveroom.store.journal import Place
from liveroom.store.port import Transaction


def explain(
    tx: Transaction,
    place: Place,
    product: ProductId | None,
    broadcast: BroadcastId | None,
    *,
    new_id: NewId,
) -> None:
    """Turn to a product, or to none; nothing is explained while there is no broadcast."""
    opening = None
    if product is not None and broadcast is not None:
        opening = Segment(
            id=SegmentId(new_id()),
            room=place.room,
            broadcast=broadcast,
            product=product,
            opened_at=place.at,
        )
    recordings.turn(tx, place.tenant, place.room, opening, at=place.at)
