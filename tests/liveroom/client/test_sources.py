"""Sources: rate, size and time of what they send; copying; looping; refusals in words."""

import asyncio
import itertools
import socket
import subprocess
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from liveroom.client.samples import KeyframeRequest, Producer, Sample, SourceUnusable
from liveroom.client.sources import Source, open_producer


def _media(
    path: Path, video: str, audio: str | None, options: dict[str, str] | None = None
) -> Path:
    """Write one second of picture (10 a second) and sound."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(video, rate=10, options=options or {})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        sound = container.add_stream(audio, rate=48_000) if audio else None
        for number in range(10):
            planes = np.full((180, 160), number * 20, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = number
            frame.pict_type = PictureType.I if number == 0 else PictureType.NONE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            samples = np.zeros((1, 48_000 * 2), dtype=np.int16)
            quiet = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
            quiet.sample_rate = 48_000
            resampler = av.AudioResampler(sound.format, "stereo", 48_000, frame_size=960)
            for chunk in resampler.resample(quiet):
                container.mux(sound.encode(chunk))
            container.mux(sound.encode(None))
    return path


BASELINE = {"preset": "ultrafast", "tune": "zerolatency"}


def _take(producer: Producer, until_s: float) -> list[Sample]:
    taken = []
    for sample in producer.samples(KeyframeRequest()):
        if sample.due_s >= until_s:
            break
        taken.append(sample)
    producer.close()
    return taken


def _stamps(samples: list[Sample], kind: str) -> list[int]:
    return [sample.packet.pts or 0 for sample in samples if sample.kind == kind]


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_the_test_stream_has_fifteen_pictures_and_fifty_sounds_a_second(codec: str) -> None:
    samples = _take(open_producer("test:", codec=codec), 2.0)

    pictures, sounds = _stamps(samples, "video"), _stamps(samples, "audio")
    assert len(pictures) == 30
    assert {after - before for before, after in itertools.pairwise(pictures)} == {6_000}
    assert 98 <= len(sounds) <= 100
    assert {after - before for before, after in itertools.pairwise(sounds)} == {960}


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_a_key_frame_comes_every_two_seconds_and_when_asked(codec: str) -> None:
    producer, wish = open_producer("test:", codec=codec), KeyframeRequest()
    keys, number = [], 0
    for sample in producer.samples(wish):
        if sample.kind != "video":
            continue
        if sample.packet.is_keyframe:
            keys.append(number)
        number += 1
        if number == 10:
            wish.ask()
        if number > 45:
            break

    assert keys[0] == 0
    assert 10 in keys
    assert any(30 <= key <= 40 for key in keys)


def test_the_test_stream_is_modest() -> None:
    samples = _take(open_producer("test:"), 4.0)

    kilobits = sum(sample.packet.size for sample in samples) * 8 / 1000 / 4
    assert 100 < kilobits < 600


def test_the_first_key_frame_carries_its_parameter_sets() -> None:
    first = next(s for s in _take(open_producer("test:"), 0.1) if s.kind == "video")

    kinds = [part[0] & 0x1F for part in bytes(first.packet).split(b"\x00\x00\x01")[1:] if part]
    assert kinds[:2] == [7, 8]
    assert 5 in kinds


def test_a_copied_mp4_comes_with_start_codes_and_encoded_sound(tmp_path: Path) -> None:
    path = _media(tmp_path / "a.mp4", "libx264", "aac", BASELINE)

    samples = _take(open_producer(str(path), copy=True), 0.9)

    first = next(s for s in samples if s.kind == "video")
    assert bytes(first.packet)[:3] in (b"\x00\x00\x00", b"\x00\x00\x01")
    sounds = _stamps(samples, "audio")
    assert {after - before for before, after in itertools.pairwise(sounds)} == {960}


@pytest.mark.parametrize("copy", [True, False])
def test_a_file_starts_again_with_timestamps_that_run_on(tmp_path: Path, copy: bool) -> None:
    path = _media(tmp_path / "a.webm", "libvpx", "libopus")

    samples = _take(open_producer(str(path), copy=copy), 3.5)

    for kind in ("video", "audio"):
        stamps = _stamps(samples, kind)
        assert all(after > before for before, after in itertools.pairwise(stamps)), kind
    assert len(_stamps(samples, "video")) >= 30


def test_a_file_with_b_frames_cannot_be_copied_but_can_be_encoded(tmp_path: Path) -> None:
    path = _media(tmp_path / "b.mp4", "libx264", None, {"bf": "2", "b_strategy": "0"})

    with pytest.raises(SourceUnusable, match="B-frames"):
        open_producer(str(path), copy=True)
    pictures = _stamps(_take(open_producer(str(path)), 0.9), "video")
    assert pictures == sorted(pictures)


def test_a_codec_that_webrtc_does_not_carry_cannot_be_copied(tmp_path: Path) -> None:
    path = _media(tmp_path / "c.mkv", "mpeg4", None)

    with pytest.raises(SourceUnusable, match="leave out --copy"):
        open_producer(str(path), copy=True)


@pytest.mark.parametrize(
    "name", ["/nowhere/at/all.mp4", "nothing", "/dev/video97", "device:x11grab::97"]
)
def test_a_source_that_is_not_there_is_said_in_a_sentence(name: str) -> None:
    with pytest.raises(SourceUnusable, match="Cannot open"):
        open_producer(name)


def test_an_unknown_kind_of_device_is_told_which_there_are() -> None:
    with pytest.raises(SourceUnusable, match="choose of v4l2"):
        open_producer("device:teapot:short")


def test_a_file_without_media_is_unusable(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("no media in here\n")

    with pytest.raises(SourceUnusable):
        open_producer(str(path))


async def test_a_source_hands_packets_to_its_tracks_at_their_time_and_stops() -> None:
    source = Source(open_producer("test:"))
    source.start()

    assert source.video is not None
    started = asyncio.get_running_loop().time()
    for _ in range(5):
        await asyncio.wait_for(source.video.recv(), 2)
    took = asyncio.get_running_loop().time() - started
    await source.stop()

    assert took >= 4 / 15 - 0.05
    assert source.video.packets == 5
    assert source.video.bytes_out > 0


def test_a_network_stream_is_read_at_its_own_pace(tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    path = _media(tmp_path / "a.ts", "libx264", "aac", BASELINE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    play = ["-loglevel", "error", "-stream_loop", "20", "-re", "-i", str(path)]
    send = ["-c", "copy", "-f", "mpegts", f"{address}?listen"]
    sender = subprocess.Popen([ffmpeg, *play, *send], stdin=subprocess.DEVNULL)
    try:
        producer = _connect(address)
        samples = _take(producer, 0.8)
    finally:
        sender.kill()
        sender.wait()

    assert producer.is_live
    assert {sample.kind for sample in samples} == {"video", "audio"}


def _connect(address: str) -> Producer:
    """Open an address as soon as its sender listens."""
    until = time.monotonic() + 20
    while True:
        try:
            return open_producer(address)
        except SourceUnusable:
            if time.monotonic() > until:
                raise
            threading.Event().wait(0.1)


async def test_a_live_source_that_ends_ends_its_tracks(tmp_path: Path) -> None:
    path = _media(tmp_path / "a.webm", "libvpx", "libopus")
    producer = open_producer(str(path), copy=True)
    producer.is_live = True
    source = Source(producer)
    source.start()

    await asyncio.wait_for(source.ended, 5)
    await source.stop()
