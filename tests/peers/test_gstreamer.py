"""GStreamer's webrtcbin both ways: RSA certificate, libnice, no checks after nomination."""

import pytest

from tests.peers.conftest import Network, Shell, kinds, packets
from tests.peers.gst_viewer import gst_view, result, start_gst


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_gstreamer_plays_what_gstreamer_publishes(
    network: Network, shell: Shell, codec: str
) -> None:
    host = start_gst(network, shell, codec=codec, seconds=9, play=False)
    shell.wait(lambda now: "live" in kinds(now), "live")
    seen = gst_view(network, shell, codec=codec, seconds=5)
    assert seen["decoded"].get("video", 0) > 15
    assert seen["decoded"].get("audio", 0) > 50
    result(host, 9)
    numbers = shell.wait(lambda now: now["sessions"] == 0, "both said goodbye")
    assert "away" in kinds(numbers)


@pytest.mark.slow
def test_gstreamer_holds_for_a_minute(network: Network, shell: Shell) -> None:
    """libnice sends no authenticated check after nomination: media alone keeps it alive."""
    host = start_gst(network, shell, codec="vp8", seconds=68, play=False)
    shell.wait(lambda now: "live" in kinds(now), "live")
    seen = gst_view(network, shell, codec="vp8", seconds=62)
    assert seen["decoded"]["video"] > 60 * 14
    numbers = shell.stats()
    assert "away" not in kinds(numbers)
    assert packets(numbers, "audio") > 60 * 49
    result(host, 68)
