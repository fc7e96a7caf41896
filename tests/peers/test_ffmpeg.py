"""ffmpeg's WHIP publisher: H264 and Opus, AES-CM, passive DTLS, no candidates in its offer."""

import subprocess
from collections.abc import Callable

from tests.peers.conftest import Network, Shell, kinds, packets
from tests.peers.gst_viewer import gst_view

Publish = Callable[..., subprocess.Popen[str]]

JOIN_S_MAX = 0.5


def test_ffmpeg_publishes_and_says_goodbye(shell: Shell, ffmpeg: Publish) -> None:
    process = ffmpeg(f"{shell.url}/whip/r1", "host:ff", seconds=4)
    numbers = shell.wait(
        lambda now: packets(now, "video") > 30 and packets(now, "audio") > 50, "media of both kinds"
    )
    codecs = {
        track["codec"]
        for session in numbers["sessions_by_id"].values()
        for track in session["tracks"]
    }
    assert codecs == {"h264", "opus"}
    assert "live" in kinds(numbers)
    assert dict(numbers["steps"])["dtls"] < JOIN_S_MAX
    numbers = shell.wait(lambda now: "session_closed" in kinds(now), "the session's end")
    assert numbers["events"][-1]["detail"]["reason"] in ("deleted", "peer_closed")
    process.wait(20)


def test_gstreamer_plays_ffmpeg(network: Network, shell: Shell, ffmpeg: Publish) -> None:
    ffmpeg(f"{shell.url}/whip/r1", "host:ff", seconds=15)
    shell.wait(lambda now: "live" in kinds(now), "live")
    seen = gst_view(network, shell, codec="h264", seconds=5)
    assert seen["decoded"].get("video", 0) > 15
    assert seen["decoded"].get("audio", 0) > 50


def test_ffmpeg_takes_over_from_itself(shell: Shell, ffmpeg: Publish) -> None:
    first = ffmpeg(f"{shell.url}/whip/r1", "host:ff", seconds=30)
    shell.wait(lambda now: "live" in kinds(now), "live")
    ffmpeg(f"{shell.url}/whip/r1", "host:ff", seconds=5)
    numbers = shell.wait(lambda now: kinds(now).count("live") == 2, "live again")
    reasons = [e["detail"]["reason"] for e in numbers["events"] if e["kind"] == "session_closed"]
    assert reasons == ["taken_over"]
    assert first.pid
