"""Every foreign client held for a minute, all at once: it passes each timeout of ours.

Keep-alive differs after nomination: libnice sends no authenticated check, so that media alone
keeps GStreamer's sessions alive; ffmpeg and browsers have ways of their own.
"""

import subprocess
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.peers.conftest import Network, Shell, kinds, packets
from tests.peers.gst_viewer import result, start_gst

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(240)]

HELD_S = 62
JOIN_S = 8
VIDEO_RATE_FPS = 14
"""One less than the publishers send: frames of the first second may be missed."""


def test_every_client_holds_for_a_minute(
    network: Network,
    shell: Shell,
    local_shell: Shell,
    ffmpeg: Callable[..., subprocess.Popen[str]],
    page: Page,
) -> None:
    ffmpeg(f"{shell.url}/whip/by-ffmpeg", "host:ff", seconds=HELD_S + JOIN_S)
    hosts, viewers = {}, {}
    for codec in ("vp8", "h264"):
        hosts[codec] = start_gst(
            network, shell, codec=codec, seconds=HELD_S + JOIN_S, play=False, room=codec
        )
    shell.wait(lambda now: kinds(now).count("live") == 3, "three hosts live")
    for codec in ("vp8", "h264"):
        viewers[codec] = start_gst(
            network, shell, codec=codec, seconds=HELD_S, play=True, room=codec
        )
    page.evaluate("([url, token]) => publish(url, token)", [f"{local_shell.url}/whip/r1", "host:h"])
    page.evaluate("([url, token]) => play(url, token)", [f"{local_shell.url}/whep/r1", "viewer:v"])

    local = local_shell.wait(lambda now: packets(now, "audio") > 60 * 49, "a minute of sound", 120)
    assert "away" not in kinds(local)
    assert page.evaluate("[sender.connectionState, receiver.connectionState]") == ["connected"] * 2
    assert _decoded_by(page) > 60 * 10

    for codec, viewer in viewers.items():
        seen = result(viewer, HELD_S)
        assert seen["decoded"]["video"] > 60 * VIDEO_RATE_FPS, codec
    numbers = shell.stats()
    assert "away" not in kinds(numbers)
    assert packets(numbers, "audio") > 3 * 60 * 49
    for host in hosts.values():
        result(host, HELD_S + JOIN_S)


def _decoded_by(page: Page) -> int:
    decoded: int = page.evaluate(
        """async () => [...(await receiver.getStats()).values()]
        .filter((one) => one.type === "inbound-rtp" && one.kind === "video")[0].framesDecoded"""
    )
    return decoded
