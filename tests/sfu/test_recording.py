"""Recording: what was sent is in the file; whatever befalls the recorder, media goes on."""

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import av
import pytest
from prometheus_client import REGISTRY

from sfu.app import Media, MediaEvent
from sfu.config import MediaConfig
from sfu.edge import recorder as recorder_process
from tests.sfu.conftest import Server
from tests.sfu.pictures import CLOCK, Cut, cut, sound
from tests.sfu.raw_peer import H264, MEDIA_SSRC, RawPeer, offer_text, until

pytestmark = pytest.mark.slow

AUDIO_SSRC = 0x55667788
H264_LINES = ("a=rtpmap:102 H264/90000", H264, "a=rtcp-fb:102 nack pli")


@dataclass
class Sender:
    """Sends prepared payloads as a host does, below what a publisher is allowed."""

    peer: RawPeer
    payload_type: int = 96
    ssrc: int = MEDIA_SSRC
    sequence: int = 100
    audio_sequence: int = 500
    sent: int = 0

    def picture(self, piece: Cut, *, shift: int = 0) -> None:
        head = bytes((0x80, self.payload_type | (0x80 if piece.marker else 0)))
        timestamp = (piece.timestamp + shift) & 0xFFFFFFFF
        self._send(head, self.sequence, timestamp, self.ssrc, piece.payload)
        self.sequence += 1

    def sound(self, payload: bytes, number: int) -> None:
        head = bytes((0x80, 111))
        self._send(head, self.audio_sequence, number * 960, AUDIO_SSRC, payload)
        self.audio_sequence += 1

    def _send(self, head: bytes, number: int, timestamp: int, ssrc: int, payload: bytes) -> None:
        numbers = number.to_bytes(2, "big") + timestamp.to_bytes(4, "big")
        self.peer.send_rtp(head + numbers + ssrc.to_bytes(4, "big") + payload)
        self.sent += 1

    async def play(self, pieces: list[Cut], *, shift: int = 0) -> None:
        """Send pictures at their pace, sound beside them."""
        sounds = sound(1 + (pieces[-1].timestamp - pieces[0].timestamp) // 1_800)
        loop = asyncio.get_running_loop()
        began, said = loop.time(), 0
        for piece in pieces:
            at_s = (piece.timestamp - pieces[0].timestamp) / CLOCK
            await asyncio.sleep(max(0.0, began + at_s - loop.time()))
            self.picture(piece, shift=shift)
            while said < len(sounds) and said * 0.02 <= at_s:
                self.sound(sounds[said], self.audio_sequence)
                said += 1


@pytest.fixture
async def recording(tmp_path: Path) -> AsyncIterator[Server]:
    events: list[MediaEvent] = []
    media = Media(MediaConfig(recordings=tmp_path / "films"), on_event=events.append)
    await media.start()
    server = Server(media, events)
    yield server
    await media.close()
    for peer in server.peers:
        peer.close()


def recorded(server: Server) -> list[MediaEvent]:
    return [event for event in server.events if event.kind == "recorded"]


async def hang_up(server: Server, host: Sender, session: str) -> None:
    """End the session when all that was sent has come in."""
    await until(lambda: server.media.stats().engine.packets_in >= host.sent, "all came in")
    await server.ask("whip", "DELETE", session=session)


async def finished(server: Server, count: int = 1) -> MediaEvent:
    await until(lambda: len(recorded(server)) == count, "the file is closed", 15)
    return recorded(server)[-1]


def read(path: Path) -> tuple[str, int, float, int]:
    """Decode a file: container, pictures, seconds, packets of sound."""
    with av.open(str(path)) as container:
        pictures = sum(1 for _ in container.decode(video=0))
        name, seconds = container.format.name, (container.duration or 0) / av.time_base
    with av.open(str(path)) as container:
        packets = sum(1 for packet in container.demux(audio=0) if packet.size)
    return name, pictures, seconds, packets


async def host_of(server: Server, codec: str) -> tuple[Sender, str]:
    if codec == "vp8":
        peer, session = await server.publisher()
        return Sender(peer), session
    peer = RawPeer()
    server.peers.append(peer)
    text = offer_text(direction="sendonly", ufrag=peer.ufrag)
    text = text.replace("SAVPF 96", "SAVPF 102").replace(
        "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n",
        "".join(f"{line}\r\n" for line in H264_LINES),
    )
    reply = await server.ask("whip", body=text)
    assert reply.status == 201, reply
    peer.answer = reply.body.decode()
    await peer.connect()
    return Sender(peer, 102), reply.headers["Location"].rpartition("/")[2]


@pytest.mark.parametrize(("codec", "container"), [("vp8", "matroska"), ("h264", "mp4")])
async def test_what_was_sent_is_in_the_file(
    recording: Server, tmp_path: Path, codec: str, container: str
) -> None:
    host, session = await host_of(recording, codec)
    pieces = cut(codec, 30)
    frames = len({piece.timestamp for piece in pieces})
    host.picture(pieces[0])
    await until(lambda: recording.media.stats().engine.packets_in == 1, "it came in")
    ago_s = await recording.media.record(session, "film-1")
    assert ago_s is not None
    assert 0 <= ago_s < 2
    assert await recording.media.record(session, "film-2") is None, "one file at a time"
    await host.play(pieces[1:])
    await hang_up(recording, host, session)
    event = await finished(recording)
    assert (event.room, event.user, event.session) == ("r1", "host-1", session)
    assert event.detail["reason"] == "finished"
    assert event.detail["gaps"] == "0"
    name, pictures, seconds, packets = read(tmp_path / "films" / "film-1")
    assert container in name
    assert pictures == frames == int(event.detail["frames"])
    assert 0.9 < seconds < 1.6
    assert packets >= 40
    assert (tmp_path / "films" / "film-1").stat().st_size == int(event.detail["bytes"])


async def test_a_lost_key_frame_costs_pictures_and_not_the_file(
    recording: Server, tmp_path: Path
) -> None:
    host, session = await host_of(recording, "vp8")
    pieces = cut("vp8", 40)
    await recording.media.record(session, "film")
    await host.play([p for p in pieces if p.timestamp < 10 * 3_000])
    host.sequence += 1  # the key frame of the second ten
    await host.play([p for p in pieces if p.timestamp >= 11 * 3_000])
    await hang_up(recording, host, session)
    event = await finished(recording)
    assert event.detail["gaps"] == "1"
    _, pictures, seconds, _ = read(tmp_path / "films" / "film")
    assert pictures == 30, "ten before the hole, none of the nine that build on it, twenty after"
    assert seconds > 1.1


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_a_sender_that_begins_anew_is_continued_in_the_same_file(
    recording: Server, tmp_path: Path
) -> None:
    host, session = await host_of(recording, "vp8")
    pieces = cut("vp8", 20)
    await recording.media.record(session, "film")
    await host.play(pieces)
    host.sequence += 20_000
    await host.play(pieces, shift=0x9000_0000)
    await hang_up(recording, host, session)
    await finished(recording)
    _, pictures, seconds, _ = read(tmp_path / "films" / "film")
    assert pictures == 30, "its first packet told of the jump and was lost, and so the next nine"
    assert 1.0 < seconds < 4.0, "time goes on, it does not jump by hours"


async def test_a_recorder_that_stands_still_moves_no_packet(
    recording: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A disk that hangs is a process that does not read: what viewers get must not change."""
    monkeypatch.setattr(recorder_process, "QUEUE_BYTES_MAX", 64 * 1024)
    host, session = await host_of(recording, "vp8")
    pieces = cut("vp8", 25, width=640, height=360, noise=True)
    viewer, _ = await recording.viewer()
    await recording.media.record(session, "film")
    pid = recording.media.recorder_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    slow = value("liveroom_media_recording_gaps_total", reason="slow")
    try:
        sending = asyncio.create_task(host.play(pieces))
        videos = 0
        while videos < len(pieces):
            packet = await viewer.receive_rtp()
            videos += packet[1] & 0x7F == 96
        await sending
    finally:
        os.kill(pid, signal.SIGCONT)
    report = await recording.media.room_report("r1")
    assert report["forward"]["p50_ms"] < 50
    assert value("liveroom_media_recording_gaps_total", reason="slow") > slow
    await until(lambda: recording.media.recorder_pid == pid, "it goes on")
    await host.play(cut("vp8", 10))
    await hang_up(recording, host, session)
    event = await finished(recording)
    assert event.detail["reason"] == "finished"
    assert int(event.detail["gaps"]) >= 1
    assert read(tmp_path / "films" / "film")[1] >= 10


async def test_a_full_disk_ends_the_recording_and_nothing_else(
    recording: Server, tmp_path: Path
) -> None:
    host, session = await host_of(recording, "vp8")
    viewer, _ = await recording.viewer()
    await recording.media.record(session, "film")
    pid = recording.media.recorder_pid
    assert pid is not None
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (64 * 1024, 64 * 1024))
    await host.play(cut("vp8", 25, width=640, height=360, noise=True))
    event = await finished(recording)
    assert event.detail["reason"] == "disk_full"
    assert event.session == session
    last = Cut(10**6, b"\x10\x00still live", marker=True, is_key=True)
    host.picture(last)
    while not (await viewer.receive_rtp()).endswith(b"still live"):
        pass
    assert recording.media.recorder_pid == pid


async def test_a_recorder_that_dies_is_told_and_started_again(
    recording: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(recorder_process, "RESTART_S", 0.0)
    host, session = await host_of(recording, "vp8")
    await recording.media.record(session, "film-1")
    pid = recording.media.recorder_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    event = await finished(recording)
    assert event.detail["reason"] == "recorder_died"
    await host.play(cut("vp8", 5))
    assert await recording.media.record(session, "film-2") is not None
    await hang_up(recording, host, session)
    assert (await finished(recording, 2)).detail["frames"] == "5"
    assert read(tmp_path / "films" / "film-2")[1] == 5


async def test_a_takeover_ends_one_file_and_the_next_take_is_another(
    recording: Server, tmp_path: Path
) -> None:
    host, session = await host_of(recording, "vp8")
    await recording.media.record(session, "take-1")
    await host.play(cut("vp8", 5))
    await until(lambda: recording.media.stats().engine.packets_in >= host.sent, "all came in")
    other, next_session = await host_of(recording, "vp8")
    event = await finished(recording)
    assert (event.session, event.detail["frames"]) == (session, "5")
    assert await recording.media.record(next_session, "take-2") is not None
    await other.play(cut("vp8", 5))
    both = host.sent + other.sent
    await until(lambda: recording.media.stats().engine.packets_in >= both, "all came in")
    await recording.ask("whip", "DELETE", session=next_session)
    assert (await finished(recording, 2)).detail["file"] == "take-2"
    assert [read(tmp_path / "films" / f"take-{n}")[1] for n in (1, 2)] == [5, 5]


@pytest.mark.parametrize("codec", ["vp8", "h264"])
async def test_a_part_of_a_recording_that_still_grows(
    recording: Server, tmp_path: Path, codec: str
) -> None:
    host, session = await host_of(recording, codec)
    pieces = cut(codec, 75)
    await recording.media.record(session, "film")
    await host.play(pieces)
    copied_s = await recording.media.cut("film", "part", from_s=0.4, to_s=1.2)
    assert 0.5 < copied_s <= 1.2
    _, pictures, seconds, packets = read(tmp_path / "films" / "part")
    assert pictures >= 20
    assert 0.5 < seconds < 1.4
    assert packets >= 20
    assert await recording.media.cut("nothing", "part-2", from_s=0, to_s=1) == 0
    assert sorted(p.name for p in (tmp_path / "films").iterdir()) == ["film", "part"]


@pytest.mark.parametrize("codec", ["vp8", "h264"])
async def test_a_picture_of_the_room(recording: Server, codec: str) -> None:
    host, _ = await host_of(recording, codec)
    assert await recording.media.picture("r1") is None
    for piece in cut(codec, 1, width=1280, height=720):
        host.picture(piece)
    await until(lambda: recording.media.stats().engine.packets_in >= 1, "it came in")
    jpegs = await asyncio.gather(*(recording.media.picture("r1") for _ in range(5)))
    assert jpegs[0] is not None
    assert all(jpeg is jpegs[0] for jpeg in jpegs), "made once"
    frame = next(iter(av.CodecContext.create("mjpeg", "r").decode(av.Packet(jpegs[0]))))  # type: ignore[attr-defined]
    assert (frame.width, frame.height) == (640, 360)
    assert await recording.media.picture("other") is None


async def test_without_a_folder_nothing_is_recorded(server: Server) -> None:
    host, session = await host_of(server, "vp8")
    host.picture(cut("vp8", 1)[0])
    assert await server.media.record(session, "film") is None
