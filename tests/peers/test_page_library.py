"""A third party's WHIP and WHEP code (npm whip-whep) on a page of another origin.

A judge of preflights, exposed headers, Link, trickle by PATCH, ICE restart and DELETE.
"""

import pytest
from playwright.sync_api import Page

from tests.peers.conftest import Shell, kinds, packets

pytestmark = pytest.mark.browser


def test_the_library_publishes_plays_restarts_and_stops(page: Page, local_shell: Shell) -> None:
    shell = local_shell
    asked: list[tuple[str, int]] = []
    page.on("response", lambda r: asked.append((r.request.method, r.status)))
    page.evaluate("([url, token]) => publish(url, token)", [f"{shell.url}/whip/r1", "host:h"])
    page.evaluate("([url, token]) => play(url, token)", [f"{shell.url}/whep/r1", "viewer:v"])
    shell.wait(lambda now: packets(now, "video") > 10, "video")
    page.wait_for_function("receiver.connectionState === 'connected'")
    assert ("PATCH", 204) in asked

    page.evaluate("whip.restart()")
    shell.wait(lambda _now: ("PATCH", 200) in asked or page.wait_for_timeout(50), "a restart")
    before = packets(shell.stats(), "video")
    shell.wait(lambda now: packets(now, "video") > before + 30, "video after the restart")
    assert page.evaluate("sender.connectionState") == "connected"

    page.evaluate("whep.stop()")
    page.evaluate("whip.stop()")
    numbers = shell.wait(lambda now: now["sessions"] == 0, "both sessions ended")
    reasons = {e["detail"]["reason"] for e in numbers["events"] if e["kind"] == "session_closed"}
    assert reasons <= {"deleted", "peer_closed"}
    assert "away" in kinds(numbers)
