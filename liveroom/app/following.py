"""Media news to the services, stage news to the media: both ways in order, through one queue.

In: what the forwarding unit says of hosts and guests, what the bus says of stages and
broadcasts. Out: calls of the services, which write it down and direct the media.
"""

import asyncio

from liveroom.app.hosting import Hosting
from liveroom.app.recording import Recording
from liveroom.bus.port import Publication
from liveroom.domain.events import StageChanged
from liveroom.domain.ids import RoomId, UserId
from liveroom.observe import logger
from liveroom.service.services import Services
from sfu.app import MediaEvent

_log = logger(__name__)


class Following:
    """Carries news between the forwarding unit and the services.

    Args:
        services: who is told.
        hosting: keeps the leases of hosts, and cuts them when their broadcast ends.
        recording: follows hosts too.

    """

    def __init__(self, services: Services, hosting: Hosting, recording: Recording) -> None:
        self._recording = recording
        self._services = services
        self._hosting = hosting
        self._news: asyncio.Queue[MediaEvent | RoomId] = asyncio.Queue()

    def take(self, event: MediaEvent) -> None:
        """Take news of the forwarding unit."""
        self._news.put_nowait(event)

    def hear(self, publication: Publication) -> None:
        """Take news of the bus: a changed stage, a broadcast that was ended."""
        self._hosting.hear(publication)
        if any(isinstance(event.fact, StageChanged) for event in publication.events):
            self._news.put_nowait(publication.room)

    async def run(self) -> None:
        """Pass the news on, one after another."""
        await self._recording.recover()
        await self._services.directing.start()
        while True:
            news = await self._news.get()
            try:
                if isinstance(news, MediaEvent):
                    await self._pass_on(news)
                    await self._recording.follow(news)
                else:
                    stage = await self._services.directing.follow(news)
                    if stage is not None:
                        await self._recording.staged(news, stage)
            except Exception:
                _log.exception("news failed", news=str(news))

    async def _pass_on(self, event: MediaEvent) -> None:
        room, user = RoomId(event.room), UserId(event.user)
        if event.kind == "speaker":
            await self._services.staging.speaking(room, user or None)
        elif event.detail.get("role") == "guest":
            if event.kind in ("live", "away", "left"):
                is_live = event.kind == "live"
                await self._services.staging.guest_changed(room, user, live=is_live)
        elif event.kind == "live":
            await self._hosting.began(room, user, event.session)
            await self._services.rooms.host_live(room, user, event.session)
        elif event.kind == "away":
            await self._services.rooms.host_gone(room, user, event.session)
        elif event.kind == "session_closed":
            await self._hosting.ended(room, event.session)
