"""`liveroom publish`: send a source to a WHIP address until told to stop.

A lost session is opened again after a growing delay, with a sentence; a refusal that will not
change ends the command with its own exit code. SIGINT and SIGTERM DELETE the session first.
"""

import asyncio
import signal
import time
from contextlib import suppress
from random import SystemRandom

import httpx
from rich.console import Console
from rich.status import Status

from liveroom.client.backoff import Backoff
from liveroom.client.outcomes import (
    GAVE_UP,
    HOST_LIVE,
    REFUSED,
    SESSION_LOST,
    SOURCE_UNUSABLE,
    STOPPED,
)
from liveroom.client.peer import PeerLost
from liveroom.client.samples import SourceUnusable
from liveroom.client.sources import Source, open_producer
from liveroom.client.visit import CommandRefused
from liveroom.client.whip import WhipPublisher

FAILURES_MAX = 20
"""Attempts in a row without going live before the command gives up."""
CHECK_INTERVAL_S = 2.0
STATUS_INTERVAL_S = 1.0

_PASSING = frozenset({"rate", "full", "unavailable", "internal", "twin_in_flight"})
"""Refusals worth another attempt."""


class Stopped(Exception):  # noqa: N818 - it is the ordinary end
    """A signal came, or the source ended."""


def run(
    source: str,
    whip_url: str,
    token: str | None,
    copy: bool = False,
    *,
    codec: str = "h264",
    once: bool = False,
    quiet: bool = False,
) -> int:
    """Publish until a signal; return the exit code.

    Args:
        source: a media file, a device, an RTMP/RTSP address, or `test:`.
        whip_url: the room's WHIP endpoint.
        token: a host's token, or None where the endpoint asks for none.
        copy: send a file's encoded packets as they are.
        codec: `h264` or `vp8`, when pictures are encoded here.
        once: end with SESSION_LOST instead of opening a lost session again.
        quiet: print failures only.

    """
    console = Console(stderr=True, quiet=quiet)
    return asyncio.run(_Publishing(source, whip_url, token, copy, codec, once, console).run())


class _Publishing:
    def __init__(
        self,
        source: str,
        whip_url: str,
        token: str | None,
        copy: bool,
        codec: str,
        once: bool,
        console: Console,
    ) -> None:
        self._name = source
        self._url = whip_url
        self._token = token
        self._copy = copy
        self._codec = codec
        self._once = once
        self._console = console
        self._backoff = Backoff(SystemRandom(), cap_s=10.0)
        self._stop = asyncio.Event()
        self._was_live = False

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        try:
            return await self._repeat()
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def _repeat(self) -> int:
        while True:
            try:
                await self._session()
            except Stopped:
                return STOPPED
            except SourceUnusable as error:
                if not self._was_live:
                    self._say(str(error))
                    return SOURCE_UNUSABLE
                reason, after_ms = str(error).rstrip("."), None
            except CommandRefused as refused:
                if refused.code not in _PASSING:
                    self._say(f"Refused ({refused.code}): {refused.why}")
                    return HOST_LIVE if refused.code == "host_live" else REFUSED
                reason, after_ms = refused.why, refused.retry_ms
            except (PeerLost, httpx.HTTPError, OSError) as error:
                reason, after_ms = str(error) or type(error).__name__, None
            if self._once:
                self._say(f"Lost: {reason}.")
                return SESSION_LOST
            if self._backoff.failures >= FAILURES_MAX:
                self._say(f"Giving up after {FAILURES_MAX} attempts: {reason}.")
                return GAVE_UP
            delay_s = self._backoff.delay_s(after_ms)
            self._say(f"Not live: {reason}. Next attempt in {delay_s:.1f} s.")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), delay_s)
            if self._stop.is_set():
                return STOPPED

    async def _session(self) -> None:
        producer = await asyncio.to_thread(
            open_producer, self._name, copy=self._copy, codec=self._codec
        )
        source = Source(producer)
        publisher = WhipPublisher(self._url, self._token, source.tracks, codec=source.codec)
        try:
            starting = asyncio.create_task(publisher.start())
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
                raise Stopped
            stopping.cancel()
            await starting
            self._backoff.succeeded()
            self._was_live = source.is_live
            source.start()
            if not self._console.is_terminal:
                self._console.print(f"Live at {self._url}", markup=False, highlight=False)
            await self._watch(source, publisher)
        finally:
            await publisher.stop()
            await source.stop()

    async def _watch(self, source: Source, publisher: WhipPublisher) -> None:
        """Show what goes out until a signal, the source's end, or the session's loss."""
        checked, last_bytes, last_at = time.monotonic(), 0, time.monotonic()
        with Status("Live.", console=self._console) as status:
            while not self._stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), STATUS_INTERVAL_S)
                if source.ended.done():
                    raise _over(source)
                now = time.monotonic()
                total = sum(track.bytes_out for track in source.tracks)
                kilobits = (total - last_bytes) * 8 / 1000 / max(0.001, now - last_at)
                last_bytes, last_at = total, now
                status.update(_status(source, kilobits))
                if publisher.state in ("failed", "closed"):
                    raise PeerLost(f"the connection {publisher.state}")
                if now - checked >= CHECK_INTERVAL_S:
                    checked = now
                    if not await publisher.is_alive():
                        raise PeerLost("the server has ended the session")
        raise Stopped

    def _say(self, text: str) -> None:
        self._console.quiet = False
        self._console.print(text, markup=False, highlight=False)


def _over(source: Source) -> Exception:
    """Say what it means that the source gives nothing more."""
    error = source.ended.exception()
    if source.is_live:
        return PeerLost(f"the source ended: {error}" if error else "the source ended")
    return Stopped() if error is None else SourceUnusable(f"The source broke: {error}.")


def _status(source: Source, kilobits: float) -> str:
    dropped = sum(track.dropped for track in source.tracks)
    codec = source.codec or "sound only"
    tail = f", {dropped} dropped" if dropped else ""
    return f"Live: {codec}, {kilobits:.0f} kbit/s{tail}. Ctrl-C stops."
