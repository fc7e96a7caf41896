"""People's own cards: read from the truth, several at once when several come in together."""

from collections.abc import Sequence

from liveroom.domain.actors import Actor
from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.domain.tiers import NextTier, Tier
from liveroom.service.entry import Card
from liveroom.store import levels, members, posting
from liveroom.store.members import Guest
from liveroom.store.port import Transaction


def read_cards(
    tx: Transaction,
    actors: Sequence[Actor],
    tenant: TenantId,
    room: RoomId | None,
) -> list[tuple[Card, Guest | None]]:
    """Read cards in the order asked, each beside what the room knows of its owner.

    Visitors without an account are unknown to the room: None.
    """
    users = {actor.user for actor in actors if not actor.anonymous}
    people: dict[UserId, Guest] = {}
    coins: dict[UserId, int] = {}
    following: set[UserId] = set()
    places: dict[UserId, tuple[Tier, NextTier | None]] = {}
    if users:
        people = members.guests(tx, tenant, room, users)
        coins = posting.coins_of(tx, tenant, users)
        spent = {user: somebody.member.spent for user, somebody in people.items()}
        places = levels.places_of(tx, tenant, spent)
        if room is not None:
            following = members.followers_among(tx, tenant, room, users)
    read: list[tuple[Card, Guest | None]] = []
    for actor in actors:
        if actor.anonymous:
            read.append((_visitor_card(actor), None))
            continue
        user = actor.user
        card = _card_of(actor, people[user], coins[user], places[user], following=user in following)
        read.append((card, people[user]))
    return read


def _card_of(
    actor: Actor,
    somebody: Guest,
    coins: int,
    place: tuple[Tier, NextTier | None],
    *,
    following: bool,
) -> Card:
    member = somebody.member
    return Card(
        user=actor.user,
        name=somebody.name(actor.name),
        role=actor.role.value,
        tier=place[0],
        to_next=place[1],
        orders=member.orders,
        visits=somebody.visits,
        coins=coins,
        age_band=actor.age_band or member.age_band,
        anonymous=False,
        ritual=member.ritual,
        public_orders=member.public_orders,
        following=following,
    )


def _visitor_card(actor: Actor) -> Card:
    return Card(
        user=actor.user,
        name=actor.name or "",
        role=actor.role.value,
        tier=Tier.BASIC,
        to_next=None,
        orders=0,
        visits=0,
        coins=None,
        age_band=None,
        anonymous=True,
        ritual=True,
        public_orders=False,
    )
