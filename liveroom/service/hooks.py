"""The port to webhook targets: one signed page of events out, what became of it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from liveroom.domain.events import Event
from liveroom.domain.ids import RoomId
from liveroom.domain.webhooks import Endpoint
from liveroom.protocol.present import present
from liveroom.store import webhooks
from liveroom.store.port import Transaction


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt: the HTTP status, or why there was none."""

    status: int | None
    why: str = ""

    @property
    def arrived(self) -> bool:
        """Whether the target took it."""
        return self.status is not None and 200 <= self.status < 300


class Sender(Protocol):
    """Sends one page; never raises for what a target does."""

    async def send(self, endpoint: Endpoint, *, id: str, body: bytes) -> Outcome:
        """Post a signed body to an endpoint, within a bounded time."""
        ...


def write_page(
    tx: Transaction, endpoint: Endpoint, room: RoomId, events: Sequence[Event], *, id: str, at: int
) -> None:
    """Put events on their way to an endpoint, in the transaction that they belong to."""
    page = {
        "id": id,
        "merchant": endpoint.tenant,
        "room": room,
        "at": at,
        "events": [present(event) for event in events],
    }
    body = msgspec.json.encode(page).decode()
    webhooks.add_page(tx, endpoint.tenant, endpoint.id, id=id, room=room, body=body, at=at)
