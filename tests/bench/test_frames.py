"""The first-frame sample: decodes real packets, survives loss and rubbish, asks once."""

import struct

import pytest
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder

from bench.frames import FrameSample
from liveroom.client.samples import KeyframeRequest
from liveroom.client.sources import open_producer

TYPES = {"vp8": 96, "h264": 102}


def _packets(codec: str, frames: int) -> list[list[bytes]]:
    """Packetise the test stream's first frames as RTP."""
    packer = H264Encoder() if codec == "h264" else Vp8Encoder()
    found: list[list[bytes]] = []
    sequence = 65_530
    for sample in open_producer("test:", codec=codec).samples(KeyframeRequest()):
        if sample.kind != "video":
            continue
        payloads, timestamp = packer.pack(sample.packet)
        packets = []
        for number, payload in enumerate(payloads):
            marker = 0x80 if number == len(payloads) - 1 else 0
            head = struct.pack(
                "!BBHII", 0x80, TYPES[codec] | marker, sequence & 0xFFFF, timestamp, 7
            )
            packets.append(head + payload)
            sequence += 1
        found.append(packets)
        if len(found) == frames:
            return found
    return found


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_a_key_frame_is_decoded_over_a_sequence_wrap(codec: str) -> None:
    sample = FrameSample()

    answers = [sample.receive(packet) for packet in _packets(codec, 1)[0]]

    assert answers[-1]
    assert not any(answers[:-1])
    assert not sample.wants_keyframe


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_without_a_key_frame_one_is_asked_for_once(codec: str) -> None:
    sample = FrameSample()
    wishes = 0
    for packets in _packets(codec, 4)[1:]:
        for packet in packets:
            assert not sample.receive(packet)
            wishes += sample.wants_keyframe
            sample.wants_keyframe = False

    assert wishes == 1
    assert sample.ssrc == 7


def test_a_frame_with_a_hole_is_not_shown() -> None:
    packets = _packets("h264", 1)[0]
    assert len(packets) > 3
    sample = FrameSample()

    assert not any(sample.receive(packet) for packet in packets[:1] + packets[2:])


def test_sound_and_rubbish_are_passed_over() -> None:
    sample = FrameSample()

    assert not sample.receive(struct.pack("!BBHII", 0x80, 111, 1, 2, 3) + b"sound")
    assert not sample.receive(struct.pack("!BBHII", 0x80, 102 | 0x80, 1, 2, 3) + b"\x1c")
    assert not sample.receive(struct.pack("!BBHII", 0x80, 96 | 0x80, 2, 2, 3) + b"\xff")
