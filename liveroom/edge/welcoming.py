"""The welcome: what the services know of an entry, as the wire shows it to one person."""

from collections import OrderedDict
from typing import final

import msgspec

from liveroom.domain.events import Event
from liveroom.domain.ids import RoomId
from liveroom.edge.viewer import Position
from liveroom.protocol.codec import Codec
from liveroom.protocol.messages import Fields, Resume, Welcome
from liveroom.protocol.present import present, present_product, present_room, present_slot
from liveroom.service.entry import Card, Entry, Missed, Snapshot

ROOMS_SHARED_MAX = 512
"""Rooms and codecs whose texts are kept encoded; the one unused longest is encoded again."""


@final
class Shared:
    """The texts that everybody who comes into a room sees: encoded once until one is added."""

    __slots__ = ("_rooms",)

    def __init__(self) -> None:
        self._rooms: OrderedDict[tuple[RoomId, Codec], tuple[tuple[Event, ...], msgspec.Raw]] = (
            OrderedDict()
        )

    def texts(self, room: RoomId, codec: Codec, events: tuple[Event, ...]) -> msgspec.Raw:
        """Give the encoded list of these texts."""
        known = self._rooms.get((room, codec))
        if known is None or known[0] != events:
            encoded = msgspec.Raw(codec.encode([present(event) for event in events]))
            known = self._rooms[room, codec] = (events, encoded)
        self._rooms.move_to_end((room, codec))
        if len(self._rooms) > ROOMS_SHARED_MAX:
            self._rooms.popitem(last=False)
        return known[1]


def present_card(card: Card) -> Fields:
    """Make the map of a person's own card; nobody else gets it."""
    fields: Fields = {
        "user": card.user,
        "name": card.name,
        "role": card.role,
        "tier": card.tier.value,
        "orders": card.orders,
        "visits": card.visits,
        "anonymous": card.anonymous,
        "ritual": card.ritual,
        "public_orders": card.public_orders,
        "following": card.following,
    }
    if card.coins is not None:
        fields["coins"] = card.coins
    if card.age_band is not None:
        fields["age_band"] = card.age_band.value
    if card.to_next is not None:
        fields["to_next"] = {"tier": card.to_next.tier.value, "missing": card.to_next.missing}
    return fields


def present_snapshot(
    snapshot: Snapshot, *, online: int, is_host: bool, texts: msgspec.Raw | None = None
) -> Fields:
    """Make the map of everything current; only the host gets the cards of the recognised.

    `texts` are those of the snapshot where they are encoded already.
    """
    fields: Fields = {
        "stage": [present_slot(slot) for slot in snapshot.stage],
        "private": snapshot.private,
        "cues": [present(event) for event in snapshot.cues],
        "pin": present_product(snapshot.pin),
        "rounds": [present(event) for event in snapshot.rounds],
        "texts": texts or [present(event) for event in snapshot.texts],
        "counters": {
            "online": online,
            "likes": snapshot.counters.likes,
            "followers": snapshot.counters.followers,
        },
    }
    if snapshot.slow_ms:
        fields["chat"] = {"slow_ms": snapshot.slow_ms}
    if is_host:
        fields["recognised"] = [present(event) for event in snapshot.recognised]
    return fields


def welcome(
    entry: Entry,
    *,
    resume: Resume | None,
    missed: Missed | None,
    online: int,
    tick_ms: int,
    is_host: bool,
    texts: msgspec.Raw | None = None,
) -> Welcome:
    """Make the welcome; after a resume it stands where the client stopped."""
    is_resumed = resume is not None and missed is not None
    offset, personal = entry.offset, entry.personal
    if resume is not None and is_resumed:
        offset = resume.offset
        personal = entry.personal if resume.personal is None else resume.personal
    you = present_card(entry.you)
    if entry.mute is not None:
        you["mute"] = {"until": entry.mute.until}
    return Welcome(
        you=you,
        room=present_room(entry.room),
        snapshot=present_snapshot(entry.snapshot, online=online, is_host=is_host, texts=texts),
        epoch=entry.epoch,
        offset=offset,
        personal=personal,
        tick_ms=tick_ms,
        resumed=is_resumed,
    )


def position_of(entry: Entry, missed: Missed | None) -> Position:
    """Say up to where the welcome, and what is missed and follows it, reach."""
    shown = (*entry.snapshot.texts, *entry.snapshot.recognised, *entry.snapshot.rounds)
    return Position(
        epoch=entry.epoch,
        offset=entry.offset if missed is None else missed.offset,
        personal=entry.personal if missed is None else missed.personal,
        shown=frozenset(event.id for event in shown),
    )
