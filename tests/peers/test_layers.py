"""A Chromium that sends three layers, and two that watch: one by a wide link, one by a narrow."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.peers.blank_page import open_page
from tests.peers.conftest import LOOPBACK, WAIT_S, Network, Shell

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.parametrize("shell", [LOOPBACK], indirect=True),
]

WIDTH, HEIGHT = 960, 540
LAYERS = [
    {"rid": "q", "scaleResolutionDownBy": 4, "maxBitrate": 120_000},
    {"rid": "h", "scaleResolutionDownBy": 2, "maxBitrate": 400_000},
    {"rid": "f", "maxBitrate": 1_500_000},
]
NARROW_BPS = 330_000
"""Enough for the lowest layer and sound, not for the best."""
SETTLED_S = 40.0


@pytest.fixture
def narrow(network: Network, shell: Shell) -> Iterator[int]:
    """The port of a narrow link to the media server."""
    link = network.start(
        sys.executable,
        str(Path(__file__).parent / "throttle.py"),
        *(LOOPBACK, str(shell.media_port), str(NARROW_BPS)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert link.stdout is not None
    assert link.stdin is not None
    yield int(link.stdout.readline())
    link.stdin.close()
    link.wait(WAIT_S)
    link.stdout.close()


def wait_for(page: Page, holds: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    """Wait until what a page receives is as wished."""
    deadline = time.monotonic() + SETTLED_S
    while True:
        seen: dict[str, Any] = page.evaluate("received()")
        if holds(seen):
            return seen
        assert time.monotonic() < deadline, f"{what}: {seen}"
        page.wait_for_timeout(250)


def gets_less(numbers: dict[str, Any]) -> bool:
    """Say whether the one behind the narrow link has told what it carries, and gets less."""
    return any(
        leg["layer"] not in ("f", None)
        for session in numbers["sessions_by_id"].values()
        if session["user"] == "narrow" and session["remb_bps"] is not None
        for leg in session["legs"]
        if leg["kind"] == "video"
    )


def test_each_viewer_gets_the_layer_that_its_link_carries(
    chromium: Browser, shell: Shell, narrow: int
) -> None:
    host, wide, thin = (open_page(chromium, shell) for _ in range(3))
    host.evaluate(
        "([base, layers, width]) => publish(base, 'video/VP8', layers, null, width)",
        [shell.url, LAYERS, WIDTH],
    )
    wide.evaluate("base => play(base)", shell.url)
    thin.evaluate("([base, port]) => play(base, port)", [shell.url, narrow])
    wait_for(wide, lambda seen: seen.get("height") == HEIGHT, "the best layer by the wide link")
    # It begins with the same as the other, is seen to be too slow for it, and gets less.
    shell.wait(gets_less, "less by the narrow link", SETTLED_S)
    low = wait_for(thin, lambda seen: seen["height"] < HEIGHT, "a lower picture by the narrow one")
    again = wait_for(thin, lambda seen: seen["frames"] > low["frames"] + 30, "and it moves")
    assert again["height"] < HEIGHT
    assert again["ssrc"] == low["ssrc"]
    wait_for(wide, lambda seen: seen["height"] == HEIGHT, "the best layer by the wide link still")
