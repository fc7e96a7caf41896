"""Frames put together from payloads: what went in comes out, holes never do."""

from collections.abc import Iterator

import av
import pytest
from aiortc.codecs import h264, vpx
from hypothesis import given
from hypothesis import strategies as st

from sfu.packet import assemble
from sfu.packet.assemble import Assembler, Frame, can_assemble
from tests.sfu.pictures import encoded

CODECS = ("vp8", "vp9", "h264", "av1")
START = b"\0\0\0\1"

sizes = st.integers(min_value=1, max_value=60)
bodies = st.binary(min_size=1, max_size=200)


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def vp8_payloads(body: bytes, size: int, *, is_key: bool, extended: int) -> Iterator[bytes]:
    """Write descriptors as RFC 7741 has them: none, 7 and 15 bits of picture id, all fields."""
    body = bytes((body[0] & 0xFE | (not is_key),)) + body[1:]
    extension = (b"", b"\x80\x11", b"\x80\x91\x22", b"\xf0\x91\x22\x05\x40")[extended]
    for number, piece in enumerate(pieces(body, size)):
        first = (0x80 if extension else 0) | (0x10 if number == 0 else 0)
        yield bytes((first,)) + extension + piece


def vp9_payloads(body: bytes, size: int, *, is_key: bool, extended: int) -> Iterator[bytes]:
    for number, piece in enumerate(pieces(body, size)):
        first = (0x08 if number == 0 else 0) | (0 if is_key else 0x40)
        head = b""
        if extended:
            first |= 0x80 | 0x20
            head = b"\x91\x22" + b"\x00\x01"
        if extended > 1 and is_key and number == 0:
            first |= 0x02
            head += b"\x18" + b"\x02\x80\x01\x68" + b"\x01\x04\x01"
        yield bytes((first,)) + head + piece


def h264_payloads(body: bytes, size: int, *, is_key: bool, extended: int) -> Iterator[bytes]:
    """Write single units, aggregates and fragments (RFC 6184)."""
    kind = 5 if is_key else 1
    if extended == 1:
        units = [bytes((0x67,)) + body, bytes((0x68,)) + body[:3]]
        yield b"\x78" + b"".join(len(u).to_bytes(2, "big") + u for u in units)
    cut = pieces(body, size)
    if len(cut) == 1:
        yield bytes((0x60 | kind,)) + body
        return
    for number, piece in enumerate(cut):
        mark = 0x80 * (number == 0) | 0x40 * (number == len(cut) - 1)
        yield bytes((0x7C, mark | kind)) + piece


def h264_frame(body: bytes, *, is_key: bool, extended: int) -> bytes:
    sets = START + b"\x67" + body + START + b"\x68" + body[:3] if extended == 1 else b""
    return sets + START + bytes((0x60 | (5 if is_key else 1),)) + body


def av1_payloads(body: bytes, size: int, *, is_key: bool, extended: int) -> Iterator[bytes]:
    """Write a sequence header and a frame, the latter in pieces (AV1 RTP section 4.4)."""
    units = [b"\x12", b"\x08" + body[:5]] if extended else []
    frame = b"\x30" + body
    cut = pieces(frame, size)
    new = 0x08 if is_key else 0
    for number, piece in enumerate(cut):
        head = new * (number == 0) | 0x80 * (number > 0) | 0x40 * (number < len(cut) - 1)
        if number == 0:
            written = b"".join(bytes((len(u),)) + u for u in units)
            count = len(units) + 1
            yield bytes((head | count << 4,)) + written + piece
        else:
            yield bytes((head | 1 << 4,)) + piece


def av1_frame(body: bytes, *, extended: int) -> bytes:
    def sized(head: int, rest: bytes) -> bytes:
        return bytes((head | 2,)) + assemble._write_leb128(len(rest)) + rest

    return (sized(0x08, body[:5]) if extended else b"") + sized(0x30, body)


PACKETISERS = {
    "vp8": vp8_payloads,
    "vp9": vp9_payloads,
    "h264": h264_payloads,
    "av1": av1_payloads,
}


def expected(codec: str, body: bytes, *, is_key: bool, extended: int) -> bytes:
    if codec == "h264":
        return h264_frame(body, is_key=is_key, extended=extended)
    if codec == "av1":
        return av1_frame(body, extended=extended)
    return bytes((body[0] & 0xFE | (not is_key),)) + body[1:] if codec == "vp8" else body


@given(
    st.sampled_from(CODECS),
    st.lists(st.tuples(bodies, sizes, st.booleans(), st.integers(0, 3)), min_size=1, max_size=8),
    st.booleans(),
)
def test_frames_come_out_as_they_went_in(codec, frames, marked):  # type: ignore[no-untyped-def]
    assembler = Assembler(codec)
    found: list[Frame] = []
    wanted: list[Frame] = []
    seen_key = False
    for number, (body, size, is_key, extended) in enumerate(frames):
        payloads = list(PACKETISERS[codec](body, size, is_key=is_key, extended=extended))
        for at, payload in enumerate(payloads):
            is_last = at == len(payloads) - 1
            found += assembler.add(payload, timestamp=number, marker=marked and is_last)
        seen_key = seen_key or is_key
        if seen_key:
            data = expected(codec, body, is_key=is_key, extended=extended)
            wanted.append(Frame(number, data, is_key))
    if not marked:
        wanted = [frame for frame in wanted if frame.timestamp < len(frames) - 1]
    assert found == wanted


@given(
    st.sampled_from(CODECS),
    st.lists(st.tuples(bodies, sizes, st.booleans()), min_size=2, max_size=10),
    st.data(),
)
def test_a_frame_with_a_hole_never_comes_out_nor_what_builds_on_it(codec, frames, data):  # type: ignore[no-untyped-def]
    packets = [
        (number, payload, is_key, at == 0)
        for number, (body, size, is_key) in enumerate(frames)
        for at, payload in enumerate(PACKETISERS[codec](body, size, is_key=is_key, extended=0))
    ]
    lost = data.draw(st.integers(0, len(packets) - 1))
    assembler, found, gap = Assembler(codec), [], False
    for place, (number, payload, _, _) in enumerate(packets):
        if place == lost:
            gap = True
            continue
        if gap:
            assembler.gap()
            gap = False
        last = place + 1 == len(packets) or packets[place + 1][0] != number
        found += assembler.add(payload, timestamp=number, marker=last)
    broken = packets[lost][0]
    whole = {n for n, _, _, _ in packets}
    keys = [n for n, _, is_key in ((i, b, k) for i, (b, _, k) in enumerate(frames)) if is_key]
    for frame in found:
        assert frame.timestamp in whole
        assert frame.timestamp != broken
        assert frame.data == expected(
            codec, frames[frame.timestamp][0], is_key=frames[frame.timestamp][2], extended=0
        )
        if frame.timestamp > broken:
            assert any(broken < key <= frame.timestamp for key in keys)


@given(
    st.sampled_from(CODECS),
    st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 3), st.booleans()), max_size=20),
)
def test_no_payload_breaks_it(codec, packets):  # type: ignore[no-untyped-def]
    assembler = Assembler(codec)
    for payload, timestamp, marker in packets:
        for frame in assembler.add(payload, timestamp=timestamp, marker=marker):
            assert frame.data


def test_a_frame_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assemble, "FRAME_BYTES_MAX", 1_000)
    assembler = Assembler("vp8")
    payload = b"\x10\x00" + bytes(600)
    assert assembler.add(payload, timestamp=1, marker=False) == []
    assert assembler.add(b"\x00" + bytes(600), timestamp=1, marker=True) == []
    assert assembler.waits
    assert assembler.add(payload, timestamp=2, marker=True)


@pytest.mark.parametrize(("codec", "encoder"), [("vp8", "libvpx"), ("h264", "libx264")])
def test_what_another_packetiser_cut_decodes(codec: str, encoder: str) -> None:
    """A real encoder, aiortc's packetiser, our assembler, a real decoder."""
    pack = (vpx.Vp8Encoder if codec == "vp8" else h264.H264Encoder)().pack
    assembler, decoder = Assembler(codec), av.CodecContext.create(codec, "r")
    decoded = 0
    for packet in encoded(encoder, 12):
        payloads, _ = pack(packet)
        for number, payload in enumerate(payloads):
            is_last = number == len(payloads) - 1
            for frame in assembler.add(payload, timestamp=packet.pts or 0, marker=is_last):
                assert frame.is_key == packet.is_keyframe
                decoded += len(decoder.decode(av.Packet(frame.data)))  # type: ignore[attr-defined]
    decoded += len(decoder.decode(None))  # type: ignore[attr-defined]
    assert decoded == 12


def test_a_broken_frame_s_timestamp_may_come_again() -> None:
    assembler = Assembler("vp8")
    assert assembler.add(b"\x00middle of a frame", timestamp=7, marker=True) == []
    assert len(assembler.add(b"\x10\x00key", timestamp=8, marker=True)) == 1
    assert len(assembler.add(b"\x10\x01delta", timestamp=7, marker=True)) == 1


def test_it_knows_what_it_can_do() -> None:
    assert all(can_assemble(codec) for codec in CODECS)
    assert not can_assemble("h265")
