"""A running media server and how to ask it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from sfu.app import Media, MediaEvent, Reply
from sfu.config import MediaConfig
from tests.sfu.raw_peer import RawPeer, offer_text


@dataclass
class Server:
    """A `Media` on a free port with everything it said."""

    media: Media
    events: list[MediaEvent] = field(default_factory=list)
    steps: list[tuple[str, float]] = field(default_factory=list)
    peers: list[RawPeer] = field(default_factory=list)

    async def ask(
        self,
        door: str,
        method: str = "POST",
        *,
        user: str = "host-1",
        role: str = "host",
        session: str | None = None,
        body: str | bytes = b"",
        room: str = "r1",
        headers: dict[str, str] | None = None,
        address: str = "127.0.0.1",
    ) -> Reply:
        """Ask WHIP or WHEP."""
        handle = self.media.whip if door == "whip" else self.media.whep
        return await handle(
            method=method,
            room=room,
            user=user,
            role=role,
            session=session,
            headers={"content-type": "application/sdp"} if headers is None else headers,
            body=body.encode() if isinstance(body, str) else body,
            base_path=f"/v1/rooms/{room}/{door}",
            address=address,
        )

    async def open(
        self, door: str, *, user: str, role: str, peer: RawPeer | None = None, **offer: object
    ) -> tuple[RawPeer, str]:
        """POST an offer; return the peer with its answer, and the session id."""
        peer = peer or RawPeer()
        self.peers.append(peer)
        direction = "sendonly" if door == "whip" else "recvonly"
        body = offer_text(direction=direction, ufrag=peer.ufrag, **offer)  # type: ignore[arg-type]
        reply = await self.ask(door, user=user, role=role, body=body)
        assert reply.status == 201, reply
        peer.answer = reply.body.decode()
        return peer, reply.headers["Location"].rpartition("/")[2]

    async def publisher(self, user: str = "host-1", **offer: object) -> tuple[RawPeer, str]:
        """Open and connect a host."""
        peer, session = await self.open("whip", user=user, role="host", **offer)  # type: ignore[arg-type]
        await peer.connect()
        return peer, session

    async def viewer(self, user: str = "viewer-1") -> tuple[RawPeer, str]:
        """Open and connect a viewer."""
        peer, session = await self.open("whep", user=user, role="viewer")
        await peer.connect()
        return peer, session

    def kinds(self) -> list[str]:
        """Name the events so far."""
        return [event.kind for event in self.events]

    def dropped(self, reason: str) -> int:
        """Return how many datagrams were dropped for a reason."""
        return self.media.stats().dropped.get(reason, 0)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A media server on 127.0.0.1 and a free port."""
    events: list[MediaEvent] = []
    steps: list[tuple[str, float]] = []
    media = Media(
        MediaConfig(),
        on_event=events.append,
        on_join_step=lambda step, seconds: steps.append((step, seconds)),
    )
    await media.start()
    running = Server(media, events, steps)
    yield running
    await media.close()
    for peer in running.peers:
        peer.close()
