"""What happened in a room: immutable facts, each with a class that says how it is delivered.

Services make events, the store keeps the durable ones, the bus carries them, and
`protocol/present` turns them into frames for each audience. Nothing here knows a wire.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from liveroom.domain.delivery import Audience as Audience
from liveroom.domain.delivery import Delivery as Delivery
from liveroom.domain.ids import BroadcastId, EventId, ProductId, RoomId, UserId
from liveroom.domain.loyalty import CouponGiven, LevelChanged, PointsEarned
from liveroom.domain.receipts import (
    CoinsBought,
    GoalChanged,
    PaymentReceived,
    RefundMade,
    TipReminded,
)
from liveroom.domain.stage_facts import Asked as Asked
from liveroom.domain.stage_facts import CallChanged as CallChanged
from liveroom.domain.stage_facts import MicChanged as MicChanged
from liveroom.domain.stage_facts import PkInvited as PkInvited
from liveroom.domain.stage_facts import PkScored as PkScored
from liveroom.domain.stage_facts import PkSide as PkSide
from liveroom.domain.stage_facts import QueueChanged as QueueChanged
from liveroom.domain.stage_facts import RoundChanged as RoundChanged
from liveroom.domain.stage_facts import Seated as Seated
from liveroom.domain.stage_facts import Slot as Slot
from liveroom.domain.stage_facts import SpeakerChanged as SpeakerChanged
from liveroom.domain.stage_facts import StageChanged as StageChanged
from liveroom.domain.stage_facts import Standing as Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftSent:
    """A paid gift; `combo` is the sender's running count of this gift within 3 s.

    `context` says what for: `product:ID` thanks for explaining it, `draw` after a draw.
    """

    KIND: ClassVar[str] = "gift"
    DELIVERY: ClassVar[Delivery] = Delivery.MONEY
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    user: UserId
    name: str
    gift: str
    count: int
    combo: int
    context: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RitualPerformed:
    """The nth paid order of a member in this room, thanked in public; drawn as danmaku."""

    KIND: ClassVar[str] = "ritual"
    DELIVERY: ClassVar[Delivery] = Delivery.MONEY
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    user: UserId
    name: str
    nth: int
    text: str
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPaid:
    """Somebody bought; who, only with the buyer's consent. Amounts are never public."""

    KIND: ClassVar[str] = "order"
    DELIVERY: ClassVar[Delivery] = Delivery.MONEY
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    product: ProductId
    title: str
    user: UserId | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCard:
    """What a viewer sees of a product; `price` in minor units (fen), `stock` None = unlimited.

    `was` is the list price where the room's is lower, `ends_at` the end of its flash sale.
    """

    id: ProductId
    title: str
    price: int
    stock: int | None = None
    was: int | None = None
    ends_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPinned:
    """The product explained now; None when it was taken down."""

    KIND: ClassVar[str] = "pin"
    DELIVERY: ClassVar[Delivery] = Delivery.STATE
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    product: ProductCard | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastChanged:
    """A broadcast (one evening) began, paused or ended; `phase`: live, away, ended."""

    KIND: ClassVar[str] = "broadcast"
    DELIVERY: ClassVar[Delivery] = Delivery.STATE
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    broadcast: BroadcastId
    phase: str
    title: str
    started_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastPurchase:
    """A member's last purchase in the room; `days` since then."""

    product: ProductId
    title: str
    at: int
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A returning customer has come in: the card that only the host sees."""

    KIND: ClassVar[str] = "recognised"
    DELIVERY: ClassVar[Delivery] = Delivery.CUE
    AUDIENCE: ClassVar[Audience] = Audience.HOST
    user: UserId
    name: str
    tier: str
    orders: int
    visits: int
    last: LastPurchase | None
    prefers: tuple[str, ...]
    suggest: str
    suggests: dict[str, str] = field(default_factory=dict)
    value: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WelcomedBack:
    """The returning viewer's own pop-up."""

    KIND: ClassVar[str] = "welcome_back"
    DELIVERY: ClassVar[Delivery] = Delivery.CUE
    AUDIENCE: ClassVar[Audience] = Audience.ONE
    tier: str
    orders: int
    visits: int
    name: str
    last: LastPurchase | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DanmakuSaid:
    """A line of text from a viewer or the host, cleaned; `badge` host, moderator or a tier."""

    KIND: ClassVar[str] = "danmaku"
    DELIVERY: ClassVar[Delivery] = Delivery.TEXT
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    user: UserId
    name: str
    text: str
    badge: str | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Somebody came in; suppressed in a large room except for recognised members.

    `recognised`: they have come or bought before; it is not shown.
    """

    KIND: ClassVar[str] = "enter"
    DELIVERY: ClassVar[Delivery] = Delivery.AMBIENT
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    user: UserId
    name: str
    tier: str
    recognised: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesDeleted:
    """Lines of danmaku that a keeper of order took off the screens, by event id."""

    KIND: ClassVar[str] = "deleted"
    DELIVERY: ClassVar[Delivery] = Delivery.STATE
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    lines: tuple[EventId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sanctioned:
    """What somebody was barred from, or is allowed again; `until` None = for good (UTC ms).

    `act`: mute, unmute, kick, ban, unban. `rank` imposed it: whoever stands as high is not
    bound. Nodes hear it and close the person's sockets and media.
    """

    KIND: ClassVar[str] = "sanction"
    DELIVERY: ClassVar[Delivery] = Delivery.STATE
    AUDIENCE: ClassVar[Audience] = Audience.ONE
    act: str
    until: int | None
    rank: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRulesChanged:
    """The room's slow mode: one line per person in so many milliseconds, 0 = off."""

    KIND: ClassVar[str] = "chat"
    DELIVERY: ClassVar[Delivery] = Delivery.STATE
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    slow_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReported:
    """A line waits for the host's judgement: reported by `count` people, or held back."""

    KIND: ClassVar[str] = "report"
    DELIVERY: ClassVar[Delivery] = Delivery.CUE
    AUDIENCE: ClassVar[Audience] = Audience.HOST
    line: EventId
    user: UserId
    name: str
    text: str
    count: int
    held: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeGiven:
    """The shop's backend says something to the room; `name` is its own word, `data` JSON text."""

    KIND: ClassVar[str] = "notice"
    DELIVERY: ClassVar[Delivery] = Delivery.STATE
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    name: str
    text: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent:
    """The shop's backend says something to one person in the room."""

    KIND: ClassVar[str] = "message"
    DELIVERY: ClassVar[Delivery] = Delivery.STATE
    AUDIENCE: ClassVar[Audience] = Audience.ONE
    name: str
    text: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSent:
    """The shop's backend says something to who is here now; it is not kept."""

    KIND: ClassVar[str] = "signal"
    DELIVERY: ClassVar[Delivery] = Delivery.CUE
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    name: str
    text: str
    data: str


Fact = (
    GiftSent
    | RitualPerformed
    | OrderPaid
    | PaymentReceived
    | RefundMade
    | CoinsBought
    | TipReminded
    | GoalChanged
    | StageChanged
    | QueueChanged
    | MicChanged
    | Seated
    | CallChanged
    | SpeakerChanged
    | RoundChanged
    | PkScored
    | PkInvited
    | ProductPinned
    | BroadcastChanged
    | Recognised
    | WelcomedBack
    | DanmakuSaid
    | Entered
    | LinesDeleted
    | ChatRulesChanged
    | Sanctioned
    | LineReported
    | NoticeGiven
    | MessageSent
    | SignalSent
    | CouponGiven
    | LevelChanged
    | PointsEarned
)

FACTS: Final[dict[str, type[Any]]] = {fact.KIND: fact for fact in Fact.__args__}
"""The facts by the kind that is written down with them."""

DURABLE = frozenset({Delivery.MONEY, Delivery.STATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact with its envelope.

    `at` is UTC milliseconds. `n` numbers a room's public durable events without gaps;
    `pn` numbers one person's durable events in a room. `cid` is the sender's command id.
    `to` is set exactly when the fact's audience is one person.
    """

    id: EventId
    room: RoomId
    at: int
    fact: Fact
    n: int | None = None
    pn: int | None = None
    cid: str | None = None
    to: UserId | None = None
