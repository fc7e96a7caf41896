"""Chromium's own WebRTC on an empty page: no library of ours in between."""

import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.peers.blank_page import open_page
from tests.peers.conftest import LOOPBACK, WAIT_S, Shell, kinds, packets

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shell", [LOOPBACK], indirect=True),
]

GAP_S_MAX = 3.0
"""How long the picture may stand while the host comes back."""
GAP_MS_NOTICED = 1_000
RAMPED_BPS = 1_000_000
RAMP_S = 30.0
"""A second where the first probes come through; by 8 % a second on a machine that is busy."""


@pytest.fixture
def page(chromium: Browser, shell: Shell) -> Page:
    """An empty page that knows the functions above."""
    return open_page(chromium, shell)


def wait_for_frames(page: Page, count: int) -> dict[str, Any]:
    """Wait until so many frames are decoded; return what was received."""
    deadline = time.monotonic() + WAIT_S
    while True:
        seen: dict[str, Any] = page.evaluate("received()")
        if seen["frames"] >= count:
            return seen
        assert time.monotonic() < deadline, f"not {count} frames in {WAIT_S} s: {seen}"
        page.wait_for_timeout(100)


@pytest.mark.parametrize("codec", ["video/VP8", "video/H264", "video/VP9", "video/AV1"])
def test_chromium_plays_what_chromium_publishes(page: Page, shell: Shell, codec: str) -> None:
    published = page.evaluate("([base, codec]) => publish(base, codec, [{}])", [shell.url, codec])
    # All three can be read only because the answer exposes them to the page.
    assert published["location"].startswith("/whip/r1/")
    assert published["tag"].startswith('"')
    assert 'rel="ice-server"' in published["link"]
    page.evaluate("base => play(base)", shell.url)
    seen = wait_for_frames(page, 30)
    assert seen["codec"] == codec
    assert seen["samples"] > 24_000
    shell.wait(lambda now: packets(now, "video") > 30, "video at the server")


def test_chromium_plays_ffmpeg_and_stays_through_a_takeover(
    page: Page, shell: Shell, ffmpeg: Callable[..., subprocess.Popen[str]]
) -> None:
    """The viewer comes first, sees the host, the host again, and never renegotiates."""
    page.evaluate("base => play(base)", shell.url)
    ffmpeg(f"{shell.url}/whip/r1", "host:ff", seconds=60)
    first = wait_for_frames(page, 20)
    ffmpeg(f"{shell.url}/whip/r1", "host:ff", seconds=60)
    numbers = shell.wait(lambda now: kinds(now).count("live") == 2, "the successor is live")
    again = wait_for_frames(page, first["frames"] + 30)
    assert page.evaluate("window.viewer.connectionState") == "connected"
    assert again["ssrc"] == first["ssrc"]
    assert [e["user"] for e in numbers["events"] if e["kind"] == "session_opened"].count(
        "chromium"
    ) == 1
    shown = page.evaluate("window.shownAt")
    gaps = [after - before for before, after in pairwise(shown)]
    assert max(gaps) <= GAP_S_MAX * 1000
    assert sum(gap > GAP_MS_NOTICED for gap in gaps) <= 1


def test_chromium_raises_its_bitrate_by_our_reports_of_arrival(page: Page, shell: Shell) -> None:
    """From 300 kbit/s to over 1 Mbit/s in seconds, without our telling it a bitrate."""
    page.evaluate("base => publish(base, null, [{}], 'goog-remb')", shell.url)
    deadline = time.monotonic() + RAMP_S
    while (rate := page.evaluate("outgoing()")) < RAMPED_BPS:
        assert time.monotonic() < deadline, f"{rate} bit/s after {RAMP_S} s"
        page.wait_for_timeout(200)
    seen = []
    for _ in range(10):
        page.wait_for_timeout(200)
        seen.append(page.evaluate("outgoing()"))
    assert min(seen) > RAMPED_BPS, seen


def test_closing_the_page_ends_its_sessions(page: Page, shell: Shell) -> None:
    page.evaluate("base => publish(base, null, [{}])", shell.url)
    shell.wait(lambda now: "live" in kinds(now), "live")
    page.evaluate("window.publisher.close()")
    numbers = shell.wait(lambda now: now["sessions"] == 0, "the session's end")
    assert numbers["events"][-1]["detail"]["reason"] == "peer_closed"
    assert "away" in kinds(numbers)
