"""A third party's WHIP and WHEP code (npm whip-whep) on a page of another origin.

A judge of preflights, exposed headers, Link, trickle by PATCH, ICE restart and DELETE.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.peers.conftest import LOOPBACK, Network, Shell, kinds, packets

LIBRARY = Path(__file__).parent / "node_modules" / "whip-whep"
PAGE = """<!doctype html><script type="module">
import {WHIPClient} from "/whip.js";
import {WHEPClient} from "/whep.js";
window.publish = async (url, token) => {
  const media = await navigator.mediaDevices.getUserMedia({video: true, audio: true});
  window.sender = new RTCPeerConnection();
  for (const track of media.getTracks()) sender.addTransceiver(track, {direction: "sendonly"});
  window.whip = new WHIPClient();
  await whip.publish(sender, url, token);
};
window.play = async (url, token) => {
  window.receiver = new RTCPeerConnection();
  receiver.addTransceiver("video", {direction: "recvonly"});
  receiver.addTransceiver("audio", {direction: "recvonly"});
  window.whep = new WHEPClient();
  await whep.view(receiver, url, token);
};
window.ready = true;
</script>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shell", [LOOPBACK], indirect=True),
]


@pytest.fixture
def page(network: Network, chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """The library's page from a web server of its own: another port is another origin."""
    for name in ("whip.js", "whep.js"):
        shutil.copy(LIBRARY / name, tmp_path)
    (tmp_path / "index.html").write_text(PAGE)
    server = network.start(
        *(sys.executable, "-u", "-m", "http.server", "0"),
        *("--bind", LOOPBACK, "--directory", str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert server.stdout is not None
    found = re.search(r"port (\d+)", server.stdout.readline())
    assert found is not None
    page = chromium.new_page()
    page.goto(f"http://{LOOPBACK}:{found.group(1)}/")
    page.wait_for_function("window.ready")
    yield page
    server.kill()
    server.wait()
    server.stdout.close()


def test_the_library_publishes_plays_restarts_and_stops(page: Page, shell: Shell) -> None:
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


@pytest.mark.slow
def test_the_library_holds_for_a_minute(page: Page, shell: Shell) -> None:
    page.evaluate("([url, token]) => publish(url, token)", [f"{shell.url}/whip/r1", "host:h"])
    page.evaluate("([url, token]) => play(url, token)", [f"{shell.url}/whep/r1", "viewer:v"])
    numbers = shell.wait(lambda now: packets(now, "audio") > 60 * 49, "a minute of sound", 90)
    decoded = page.evaluate(
        """async () => [...(await receiver.getStats()).values()]
        .filter((one) => one.type === "inbound-rtp" && one.kind === "video")[0].framesDecoded"""
    )
    assert decoded > 60 * 10
    assert "away" not in kinds(numbers)
    assert page.evaluate("[sender.connectionState, receiver.connectionState]") == ["connected"] * 2
