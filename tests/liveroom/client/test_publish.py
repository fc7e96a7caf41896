"""Publishing and viewing against a real server: live, seen, stopped by a signal, refused."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from liveroom.client.outcomes import HOST_LIVE, REFUSED, SOURCE_UNUSABLE, STOPPED
from liveroom.client.sources import Source, open_producer
from liveroom.client.visit import CommandRefused
from liveroom.client.whep import WhepViewer
from liveroom.client.whip import WhipPublisher
from tests.server import RunningServer
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

STOP_WITHIN_S = 10


@pytest.fixture
def room(server: RunningServer, request: pytest.FixtureRequest) -> str:
    name = f"publish-{abs(hash(request.node.name)) % 10**8}"
    return server.room(name, host="host")


def _publish(server: RunningServer, room: str, source: str, user: str = "host") -> list[str]:
    url = f"{server.base}/v1/rooms/{room}/whip"
    token = server.token(user, "host", room=room)
    return [sys.executable, "-m", "liveroom", "publish", source, url, "--token", token]


def _wait_live(server: RunningServer, room: str, *, live: bool) -> None:
    wait_until(
        lambda: httpx.get(f"{server.base}/v1/rooms/{room}").json()["live"] is live,
        seconds=15,
        what="live" if live else "quiet",
        every_s=0.1,
    )


@pytest.mark.parametrize("codec", ["h264", "vp8"])
async def test_what_is_published_is_seen_and_heard(
    server: RunningServer, room: str, codec: str
) -> None:
    source = Source(open_producer("test:", codec=codec))
    url = f"{server.base}/v1/rooms/{room}"
    token = server.token("host", "host", room=room)
    async with WhipPublisher(f"{url}/whip", token, source.tracks, codec=source.codec) as publisher:
        source.start()
        async with WhepViewer(f"{url}/whep", server.token("eye", room=room)) as viewer:
            video = await viewer.wait_frames(30)
            alive = await publisher.is_alive()
    await source.stop()

    assert alive
    assert video.last is not None
    assert (video.last.width, video.last.height) == (640, 360)
    assert viewer.audio[0].frames > 10


async def test_a_stopped_publisher_has_no_session_left(server: RunningServer, room: str) -> None:
    source = Source(open_producer("test:"))
    token = server.token("host", "host", room=room)
    publisher = WhipPublisher(
        f"{server.base}/v1/rooms/{room}/whip", token, source.tracks, codec=source.codec
    )
    await publisher.start()
    resource = publisher.resource_url
    await publisher.stop()
    await source.stop()

    assert resource is not None
    async with httpx.AsyncClient() as http:
        reply = await http.delete(resource, headers={"Authorization": f"Bearer {token}"})
    assert reply.status_code == 404


async def test_a_viewers_token_may_not_publish(server: RunningServer, room: str) -> None:
    source = Source(open_producer("test:"))
    with pytest.raises(CommandRefused):
        await WhipPublisher(
            f"{server.base}/v1/rooms/{room}/whip",
            server.token("eye", room=room),
            source.tracks,
            codec=source.codec,
        ).start()
    await source.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_deletes_the_session_and_ends_with_zero(
    server: RunningServer, room: str, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        _publish(server, room, "test:"), stderr=subprocess.PIPE, preexec_fn=_heed_interrupts
    )
    _wait_live(server, room, live=True)

    process.send_signal(number)
    _, said = process.communicate(timeout=STOP_WITHIN_S)

    assert process.returncode == STOPPED, said
    _wait_live(server, room, live=False)


def _heed_interrupts() -> None:
    """A test runner in the background may have told its children to ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_source_that_is_not_there_ends_with_a_sentence(server: RunningServer, room: str) -> None:
    done = subprocess.run(
        _publish(server, room, "/nowhere/at/all.mp4"), capture_output=True, text=True, timeout=30
    )

    assert done.returncode == SOURCE_UNUSABLE
    assert "Cannot open /nowhere/at/all.mp4" in done.stderr


def test_a_second_host_is_told_and_ends(server: RunningServer, room: str) -> None:
    first = subprocess.Popen(_publish(server, room, "test:"), stderr=subprocess.DEVNULL)
    try:
        _wait_live(server, room, live=True)
        second = subprocess.run(
            _publish(server, room, "test:", user="other"),
            capture_output=True,
            text=True,
            timeout=30,
        )
    finally:
        first.terminate()
        first.wait(STOP_WITHIN_S)

    assert second.returncode == HOST_LIVE, second.stderr
    assert "host_live" in second.stderr


def test_a_bad_token_ends_at_once(server: RunningServer, room: str) -> None:
    arguments = [*_publish(server, room, "test:")[:-1], "nonsense"]

    done = subprocess.run(arguments, capture_output=True, text=True, timeout=30)

    assert done.returncode == REFUSED
    assert "bad_token" in done.stderr


def test_a_lost_server_is_waited_for(server: RunningServer) -> None:
    url = "http://127.0.0.1:9/v1/rooms/r/whip"
    process = subprocess.Popen(
        [sys.executable, "-m", "liveroom", "publish", "test:", url, "--token", "t"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    process.terminate()
    process.communicate(timeout=STOP_WITHIN_S)

    assert line.startswith("Not live:")
    assert process.returncode == STOPPED


async def test_the_second_publisher_of_the_same_host_takes_over(
    server: RunningServer, room: str
) -> None:
    url = f"{server.base}/v1/rooms/{room}/whip"
    token = server.token("host", "host", room=room)
    sources = [Source(open_producer("test:")) for _ in range(2)]
    first = WhipPublisher(url, token, sources[0].tracks, codec="h264")
    second = WhipPublisher(url, token, sources[1].tracks, codec="h264")
    await first.start()
    await second.start()

    async with asyncio.timeout(5):
        while await first.is_alive():
            await asyncio.sleep(0.05)
    assert await second.is_alive()
    for publisher, source in ((first, sources[0]), (second, sources[1])):
        await publisher.stop()
        await source.stop()


@pytest.fixture
def white_screen() -> Iterator[str]:
    """A screen of 640×480 white points, as a display address: the one capture device
    that every machine can have."""
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "640x480x24", "-wr"]
    with subprocess.Popen(
        [*command, "-nolisten", "tcp"], pass_fds=[write_end], stderr=subprocess.DEVNULL
    ) as screen:
        os.close(write_end)
        with os.fdopen(read_end) as told:
            number = told.readline().strip()
        assert number, "Xvfb told no display number"
        yield f":{number}"
        screen.terminate()


async def test_a_capture_device_is_seen_live(
    server: RunningServer, room: str, white_screen: str
) -> None:
    publishing = subprocess.Popen(
        _publish(server, room, f"device:x11grab:{white_screen}"), stderr=subprocess.DEVNULL
    )
    try:
        await asyncio.to_thread(_wait_live, server, room, live=True)
        url = f"{server.base}/v1/rooms/{room}/whep"
        async with WhepViewer(url, server.token("eye", room=room)) as viewer:
            video = await viewer.wait_frames(15)
    finally:
        publishing.terminate()
        ended = publishing.wait(STOP_WITHIN_S)

    assert ended == STOPPED
    assert video.last is not None
    assert (video.last.width, video.last.height) == (640, 480)
    assert video.last.to_ndarray(format="gray").mean() > 230
