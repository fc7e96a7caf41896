"""Records each host who goes live, and writes down what became of the files.

In: media events. Out: orders to the forwarding unit and rows in the store.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from liveroom.domain.ids import NewId, RoomId
from liveroom.domain.recordings import RecordingId
from liveroom.domain.seats import Stage
from liveroom.observe import logger
from liveroom.service.replays import Replays, last_written
from sfu.app import Media, MediaEvent

AGAIN_S = {"restart": 0.0, "recorder_died": 6.0}
"""Ends after which the same host is recorded anew, into another file, and how soon: a recorder
that died is not started at once again."""

_log = logger(__name__)


class Recording:
    """Follows hosts with the recorder.

    Args:
        media: the forwarding unit.
        replays: where recordings are noted.
        folder: where files go; None records nothing.
        now_ms: server time.
        new_id: names files; nothing that anybody typed is in a name.

    """

    def __init__(
        self,
        media: Media,
        replays: Replays,
        folder: Path | None,
        now_ms: Callable[[], int],
        new_id: NewId,
    ) -> None:
        self._media = media
        self._replays = replays
        self._folder = folder
        self._now_ms = now_ms
        self._new_id = new_id
        self._aside: set[RoomId] = set()
        self._later: set[asyncio.Task[None]] = set()

    async def recover(self) -> None:
        """Note the ends of what a crash cut off."""
        if self._folder is not None:
            await self._replays.recover(last_written(self._folder))

    async def follow(self, event: MediaEvent) -> None:
        """Take the next event of the media."""
        if self._folder is None:
            return
        if event.kind == "live" and event.detail.get("role") == "host":
            await self._begin(RoomId(event.room), event.session)
        elif event.kind == "recorded":
            await self._finished(event)

    async def staged(self, room: RoomId, stage: Stage) -> None:
        """Record nothing of a private call; what comes after it goes into another file."""
        if self._folder is None or stage.private == (room in self._aside):
            return
        if stage.private:
            self._aside.add(room)
            if stage.session is not None:
                self._media.stop_recording(stage.session)
            return
        self._aside.discard(room)
        if stage.session is not None:
            await self._begin(room, stage.session)

    async def _begin(self, room: RoomId, session: str) -> None:
        if room in self._aside:
            return
        recording = RecordingId(self._new_id())
        ago_s = await self._media.record(session, recording)
        if ago_s is None:
            return
        started_at = self._now_ms() - round(ago_s * 1000)
        if not await self._replays.begin(recording, room, session, started_at):
            self._media.stop_recording(session)

    async def _finished(self, event: MediaEvent) -> None:
        detail = event.detail
        reason = detail["reason"]
        write = _log.info if reason == "finished" else _log.warning
        write("recorded", room=event.room, reason=reason, gaps=detail["gaps"], file=detail["file"])
        await self._replays.finish(
            RecordingId(detail["file"]), reason=reason, size=int(detail["bytes"])
        )
        if reason in AGAIN_S:
            again = self._again(RoomId(event.room), event.session, AGAIN_S[reason])
            task = asyncio.create_task(again, name="record-again")
            self._later.add(task)
            task.add_done_callback(self._later.discard)

    async def _again(self, room: RoomId, session: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        try:
            await self._begin(room, session)
        except Exception:
            _log.exception("recording cannot go on", room=room)
