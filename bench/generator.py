"""`python -m bench.generator WHIP TOKEN PPS`: a host without a camera, of a chosen packet rate.

Publishes VP8 that no decoder would like but every forwarder takes: frames at 30 a second, full
fragments and a short last one, a key frame every two seconds; and 50 audio packets a second.
`python -m bench.generator rtp VIDEO_PORT AUDIO_PORT PPS` sends the same as plain RTP.
"""

import asyncio
import contextlib
import itertools
import signal
import socket
import struct
import sys
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import httpx

from bench.light import Factory, LightViewer, write_offer

FRAMES_PER_S = 30
AUDIO_PER_S = 50
AUDIO_BYTES = 120
FRAGMENT_BYTES = 1_160
KEYFRAME_EVERY = 60
VIDEO_SSRC, AUDIO_SSRC = 0x0B0B0B01, 0x0B0B0B02
ENTER_WITHIN_S = 20.0
STAMP = struct.Struct("!Q")


class _Numbering:
    """Puts a header before a payload."""

    _sequences: list[Iterator[int]]

    def _numbered(self, is_audio: bool, marker: bool, timestamp: int, payload: bytes) -> bytes:
        kind, ssrc = (111, AUDIO_SSRC) if is_audio else (96, VIDEO_SSRC)
        header = struct.pack(
            "!BBHII",
            0x80,
            kind | (0x80 if marker else 0),
            next(self._sequences[is_audio]) & 0xFFFF,
            timestamp & 0xFFFFFFFF,
            ssrc,
        )
        return header + payload


class GeneratedHost(LightViewer, _Numbering):
    """The way in is a viewer's, the media goes the other way."""

    awaited = ("ice", "dtls")

    def __init__(self, http: httpx.AsyncClient, whip: str, token: str) -> None:
        base, _, rest = whip.partition("/v1/rooms/")
        super().__init__(Factory(), http, base, rest.partition("/")[0], token)
        self._whip = whip
        self._sequences = [itertools.count(1), itertools.count(1)]

    def _target(self) -> tuple[str, str]:
        offer = write_offer(self._ufrag, self._pwd, self._factory.fingerprint)
        return self._whip, offer.replace("a=recvonly", "a=sendonly")

    def send(self, *, is_audio: bool, marker: bool, timestamp: int, payload: bytes) -> None:
        """Protect and send one packet."""
        assert self._srtp is not None
        wire = self._srtp.protect_rtp(self._numbered(is_audio, marker, timestamp, payload))
        if wire is not None:
            self._send_all([wire])


class PlainHost(_Numbering):
    """Sends plain RTP to two local ports."""

    def __init__(self, video_port: int, audio_port: int) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._addresses = [("127.0.0.1", video_port), ("127.0.0.1", audio_port)]
        self._sequences = [itertools.count(1), itertools.count(1)]

    def send(self, *, is_audio: bool, marker: bool, timestamp: int, payload: bytes) -> None:
        """Send one packet."""
        packet = self._numbered(is_audio, marker, timestamp, payload)
        self._sock.sendto(packet, self._addresses[is_audio])


def fragments(number: int, packets: int) -> list[bytes]:
    """Make the payloads of a frame; every `KEYFRAME_EVERY`-th is a key frame."""
    # RFC 7741 section 4.2: the S bit marks a frame's first fragment; RFC 6386 section 9.1: a
    # key frame's first bit is 0.
    first = b"\x10\x00" if number % KEYFRAME_EVERY == 0 else b"\x10\x01"
    last = 200 + number * 37 % (FRAGMENT_BYTES - 200)
    sizes = [FRAGMENT_BYTES] * (packets - 1) + [last]
    return [(first if at == 0 else b"\x00\x00") + bytes(size - 2) for at, size in enumerate(sizes)]


async def publish(whip: str, token: str, pps: float) -> None:
    """Publish until cancelled."""
    async with httpx.AsyncClient(trust_env=False) as http:
        host = GeneratedHost(http, whip, token)
        await host.enter(timeout_s=ENTER_WITHIN_S)
        try:
            await _send_all(host, pps)
        finally:
            await host.leave()


async def _send_all(host: GeneratedHost | PlainHost, pps: float) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_send_sound(host))
        group.create_task(_send_pictures(host, pps))


async def _send_sound(host: GeneratedHost | PlainHost) -> None:
    began = time.monotonic()
    for number in itertools.count():
        await asyncio.sleep(max(0.0, began + number / AUDIO_PER_S - time.monotonic()))
        host.send(is_audio=True, marker=False, timestamp=number * 960, payload=bytes(AUDIO_BYTES))


def stamped(payload: bytes) -> bytes:
    """Let a payload end with the moment of its sending, in nanoseconds of the machine's clock."""
    return payload[: -STAMP.size] + STAMP.pack(time.monotonic_ns())


def sent_at_s(payload: bytes) -> float:
    """Read that moment."""
    nanoseconds: int = STAMP.unpack(payload[-STAMP.size :])[0]
    return nanoseconds / 1e9


async def _send_pictures(host: GeneratedHost | PlainHost, pps: float) -> None:
    began = time.monotonic()
    owed = 0.0
    for number in itertools.count():
        await asyncio.sleep(max(0.0, began + number / FRAMES_PER_S - time.monotonic()))
        owed += max(1.0, (pps - AUDIO_PER_S) / FRAMES_PER_S)
        payloads = fragments(number, int(owed))
        owed -= int(owed)
        timestamp = number * 90_000 // FRAMES_PER_S
        for at, payload in enumerate(payloads, start=1):
            host.send(
                is_audio=False,
                marker=at == len(payloads),
                timestamp=timestamp,
                payload=stamped(payload),
            )


async def _main(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    if sys.argv[1] == "rtp":
        feed = PlainHost(int(sys.argv[2]), int(sys.argv[3]))
        asyncio.run(_main(_send_all(feed, float(sys.argv[4]))))
    else:
        asyncio.run(_main(publish(sys.argv[1], sys.argv[2], float(sys.argv[3]))))
