"""What is kept of live media: recordings, parts of them, pictures of rooms.

In: publishers to record. Out: files, written by the recorder's process; the server only reads
the tracks' histories behind the live edge, ten times a second, and hands the payloads over. A
recorder that is slow makes gaps in files and nothing else.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, final

from sfu import observe
from sfu.edge.recorder import RecorderProcess
from sfu.media.engine import Engine
from sfu.media.model import Kind, RoomId, SessionId
from sfu.media.tap import Taken, Tap
from sfu.recorder.wire import (
    Answer,
    Begin,
    Cut,
    Done,
    Draw,
    Drawn,
    Finish,
    Finished,
    Media,
    Piece,
)

PULL_S: Final = 0.1
DRAW_S: Final = 3.0
"""A picture that takes longer is given up; the next ask begins anew."""
CUT_S: Final = 60.0
PREVIEW_FRESH_S: Final = 10.0
"""A picture this young is not made again."""
DRAWING_MAX: Final = 8
"""Pictures asked of the recorder at once; a room beyond them has none for now."""
PREVIEWS_MAX: Final = 500
"""Rooms whose last picture is kept; the oldest is forgotten."""
RECORDINGS_MAX: Final = 64
"""Recordings at once; one more is refused."""

log = logging.getLogger("sfu.archive")

OnFinished = Callable[[SessionId, str, Finished], None]


@dataclass(slots=True)
class _Going:
    """One recording that goes on; `slow` names the kinds of which something was dropped last."""

    session: SessionId
    file: str
    taps: tuple[Tap, ...]
    slow: set[Kind] = field(default_factory=set)
    is_over: bool = False
    """Its publisher has gone; the recorder could not be told yet."""


@dataclass(slots=True)
class _Preview:
    made_at: float
    jpeg: bytes


@final
class Archive:
    """Records publishers and draws rooms.

    Args:
        recorder: makes the process, given what to tell of it.
        engine: whose tracks are read.
        want_keyframe: asks a publisher for one.
        on_finished: told session, file and outcome of a recording that ended.
        clock: monotonic seconds.

    """

    def __init__(
        self,
        recorder: Callable[[Callable[[Answer], None], Callable[[], None]], RecorderProcess],
        engine: Engine,
        want_keyframe: Callable[[SessionId], None],
        on_finished: OnFinished,
        clock: Callable[[], float],
    ) -> None:
        self._recorder = recorder(self._answered, self._died)
        self._engine = engine
        self._want_keyframe = want_keyframe
        self._on_finished = on_finished
        self._clock = clock
        self._numbers = itertools.count(1)
        self._going: dict[int, _Going] = {}
        self._pictures: dict[int, asyncio.Future[bytes | None]] = {}
        self._cutting: dict[str, asyncio.Task[float]] = {}
        self._cuts: dict[int, asyncio.Future[float]] = {}
        self._previews: dict[RoomId, _Preview] = {}
        self._drawing: dict[RoomId, asyncio.Task[bytes | None]] = {}
        self._pulling: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The recorder's process, while there is one."""
        return self._recorder.pid

    async def record(self, session: SessionId, file: str) -> float | None:
        """Begin to record a publisher into a new file.

        Returns how many seconds ago its first packet had arrived: that is second 0 of the
        file. None when it is not there, is recorded already, or cannot be recorded now.
        """
        if len(self._going) >= RECORDINGS_MAX or self._of(session) is not None:
            return None
        if not await self._recorder.ensure():
            return None
        taps = self._engine.taps(session)
        if not taps:
            return None
        now = self._clock()
        arrived = [at for tap in taps if (at := tap.first_arrived) is not None]
        base = min(arrived, default=now)
        has_video = any(tap.kind is Kind.VIDEO for tap in taps)
        number = next(self._numbers)
        if not self._recorder.send(Begin(number, file, base, has_video)):
            return None
        self._going[number] = _Going(session, file, taps)
        observe.recordings.set(len(self._going))
        if has_video and taps[0].first_arrived is None:
            self._want_keyframe(session)
        if self._pulling is None:
            self._pulling = asyncio.create_task(self._pull(), name="recording")
        return now - base

    def stop(self, session: SessionId) -> None:
        """End a publisher's recording; `on_finished` is told when its file is closed."""
        number = self._of(session)
        if number is not None:
            going = self._going[number]
            self._hand_over(number, going, is_last=True)
            self._finish(number, going)

    async def picture(self, room: RoomId) -> bytes | None:
        """Return a JPEG of what a room's host shows, at most `PREVIEW_FRESH_S` old."""
        known = self._previews.get(room)
        if known is not None and self._clock() - known.made_at < PREVIEW_FRESH_S:
            return known.jpeg
        task = self._drawing.get(room)
        if task is None:
            task = asyncio.create_task(self._draw(room), name="preview")
            self._drawing[room] = task
            task.add_done_callback(lambda _: self._drawing.pop(room, None))
        return await asyncio.shield(task)

    async def cut(self, source: str, target: str, from_s: float, to_s: float) -> float:
        """Copy a part of a recording into a new file; return its seconds, 0 = nothing made.

        Whoever asks for a file that is being made waits for it.
        """
        task = self._cutting.get(target)
        if task is None:
            task = asyncio.create_task(self._cut(source, target, from_s, to_s), name="cut")
            self._cutting[target] = task
            task.add_done_callback(lambda _: self._cutting.pop(target, None))
        return await asyncio.shield(task)

    async def _cut(self, source: str, target: str, from_s: float, to_s: float) -> float:
        if not await self._recorder.ensure():
            return 0.0
        number = next(self._numbers)
        waiting: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._cuts[number] = waiting
        try:
            if not self._recorder.send(Cut(number, source, target, from_s, to_s)):
                return 0.0
            async with asyncio.timeout(CUT_S):
                return await waiting
        except TimeoutError:
            return 0.0
        finally:
            self._cuts.pop(number, None)

    async def close(self) -> None:
        """Hand over what there is and close the files."""
        if self._pulling is not None:
            self._pulling.cancel()
            with suppress(asyncio.CancelledError):
                await self._pulling
        for number, going in self._going.items():
            self._hand_over(number, going, is_last=True)
        await self._recorder.close()

    def _of(self, session: SessionId) -> int | None:
        return next((n for n, going in self._going.items() if going.session == session), None)

    async def _pull(self) -> None:
        while self._going:
            await asyncio.sleep(PULL_S)
            for number, going in list(self._going.items()):
                try:
                    if going.is_over:
                        self._finish(number, going)
                    else:
                        self._hand_over(number, going)
                except Exception:
                    # A bug met in one room must not stop the others' recordings.
                    log.exception("a recording stops")
                    self._finish(number, going)
        self._pulling = None

    def _finish(self, number: int, going: _Going) -> None:
        going.is_over = not self._recorder.send(Finish(number))
        going.taps = ()

    def _hand_over(self, number: int, going: _Going, *, is_last: bool = False) -> None:
        now = self._clock()
        for tap in going.taps:
            taken = tap.take(now=now, is_last=is_last)
            if not taken.packets:
                continue
            if taken.after_gap:
                observe.recording_gaps.labels("missing").inc(len(taken.after_gap))
                if tap.kind is Kind.VIDEO:
                    self._want_keyframe(going.session)
            is_slow = tap.kind in going.slow
            if all(self._recorder.send(media) for media in _media(number, tap, taken, is_slow)):
                going.slow.discard(tap.kind)
                observe.recording_packets.inc(len(taken.packets))
            elif not is_slow:
                going.slow.add(tap.kind)
                observe.recording_gaps.labels("slow").inc()

    async def _draw(self, room: RoomId) -> bytes | None:
        picture = self._engine.picture(room)
        if picture is None or len(self._pictures) >= DRAWING_MAX:
            return None
        if not await self._recorder.ensure():
            return None
        number = next(self._numbers)
        waiting: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._pictures[number] = waiting
        jpeg = None
        try:
            if self._recorder.send(Draw(number, picture.codec, list(picture.payloads))):
                async with asyncio.timeout(DRAW_S):
                    jpeg = await waiting
        except TimeoutError:
            observe.previews.labels("late").inc()
            return None
        finally:
            self._pictures.pop(number, None)
        observe.previews.labels("drawn" if jpeg else "refused").inc()
        if jpeg is not None:
            self._previews.pop(room, None)
            self._previews[room] = _Preview(self._clock(), jpeg)
            if len(self._previews) > PREVIEWS_MAX:
                del self._previews[next(iter(self._previews))]
        return jpeg

    def _answered(self, answer: Answer) -> None:
        match answer:
            case Finished():
                going = self._going.pop(answer.number, None)
                if going is not None:
                    self._ended(going, answer)
            case Drawn():
                picture = self._pictures.get(answer.number)
                if picture is not None and not picture.done():
                    picture.set_result(answer.jpeg)
            case Done():
                part = self._cuts.get(answer.number)
                if part is not None and not part.done():
                    part.set_result(answer.duration_s)

    def _ended(self, going: _Going, answer: Finished) -> None:
        observe.recordings.set(len(self._going))
        observe.recordings_finished.labels(answer.reason).inc()
        self._on_finished(going.session, going.file, answer)

    def _died(self) -> None:
        for picture in self._pictures.values():
            if not picture.done():
                picture.set_result(None)
        for part in self._cuts.values():
            if not part.done():
                part.set_result(0.0)
        going, self._going = self._going, {}
        for number, each in going.items():
            self._ended(each, Finished(number, "recorder_died", 0.0, 0, 0, 0))


def _media(number: int, tap: Tap, taken: Taken, is_slow: bool) -> list[Media]:
    """Make messages of packets, one for each run of a codec."""
    found: list[Media] = []
    for stored in taken.packets:
        codec = tap.codec(stored)
        piece = Piece(
            stored.timestamp,
            stored.arrived,
            stored.marker,
            stored.payload,
            stored.sequence in taken.after_gap or (is_slow and not found),
        )
        if not found or found[-1].codec != codec.name:
            lead = list(tap.parameter_sets)
            found.append(Media(number, tap.kind, codec.name, codec.clock_rate, [], lead))
        found[-1].pieces.append(piece)
    return found
