"""GStreamer's webrtcbin both ways: RSA certificate, libnice, no checks after nomination."""

import pytest

from tests.peers.conftest import Network, Shell, kinds
from tests.peers.gst_viewer import gst_view, result, start_gst


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_gstreamer_plays_what_gstreamer_publishes(
    network: Network, shell: Shell, codec: str
) -> None:
    host = start_gst(network, shell, codec=codec, seconds=9, play=False)
    shell.wait(lambda now: "live" in kinds(now), "live")
    seen = gst_view(network, shell, codec=codec, seconds=5)
    # Fifteen a second: were a key frame incomplete, most of its group would be missing.
    assert seen["decoded"].get("video", 0) > 45
    assert seen["decoded"].get("audio", 0) > 50
    result(host, 9)
    numbers = shell.wait(lambda now: now["sessions"] == 0, "both said goodbye")
    assert "away" in kinds(numbers)
