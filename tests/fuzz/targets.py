"""What is fuzzed: everything that reads bytes which strangers or members send.

A target takes any bytes and raises only what is promised; each also says what must hold for
all inputs. The same functions serve coverage-guided fuzzing (`python -m tests.fuzz.run`), the
short seeded round of the suite, and the kept inputs that once broke something.
"""

from collections.abc import Callable
from typing import NamedTuple

from sfu.control.refusals import Refused
from sfu.control.sdp import parse_fragment, parse_offer
from sfu.media.engine import Engine
from sfu.media.model import Codec, Datagram, Kind, LegSpec, RoomId, SessionId, TrackSpec
from sfu.media.parameters import ParameterSets
from sfu.media.shape import ABS_SEND_TIME, AUDIO_LEVEL, MID
from sfu.packet import demux as demultiplexing
from sfu.packet import rtcp as feedback
from sfu.packet import rtp as media
from sfu.packet import stun as checks
from sfu.packet.assemble import Assembler, can_assemble
from sfu.packet.payload import keyframe_detector
from sfu.packet.rewrite import pack_numbers, renumber
from tests.sfu.raw_peer import offer_text

CODECS = ("vp8", "h264", "vp9", "av1", "opus")
PROFILES = (media.ONE_BYTE_PROFILE, media.TWO_BYTE_PROFILE, 0x1234)
NACKED_MAX = 16 * 1024 + 16
"""Numbers that one datagram of 2,048 bytes can ask for."""
OUT_PER_DATAGRAM_MAX = 2_000
"""Packets that may follow from one datagram at a room of one viewer."""


class Target(NamedTuple):
    """A function of bytes, and inputs to begin with."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def stun(data: bytes) -> None:
    """Checks and their answers: read, verified, never raised at.

    The same bytes are tried as attributes of a message that is whole otherwise, since nobody
    guesses a fingerprint.
    """
    transaction, attributes = data[:12].ljust(12, b"."), data[12:1_200]
    attributes = attributes[: len(attributes) // 4 * 4]
    for message in (
        data,
        checks._write_message(checks._BINDING_REQUEST, transaction, attributes, "password"),
        checks._write_message(checks._BINDING_SUCCESS, transaction, attributes, "password"),
    ):
        request = checks.parse_request(message)
        if request is not None:
            assert len(request.transaction) == 12
        success = checks.parse_success(message)
        if request is not None or success is not None:
            checks.verify_integrity(message, "password")


def demux(data: bytes) -> None:
    """Every datagram is of one kind."""
    assert demultiplexing.demux(data) in demultiplexing.Kind


def rtp(data: bytes) -> None:
    """A packet, its extensions in every form, a retransmission, and what is sent on of it."""
    for profile in PROFILES:
        for identity, value in media.parse_extensions(profile, data).items():
            assert 0 < identity < 256
            assert len(value) <= 255
    packet = media.parse(data)
    if packet is None:
        return
    assert len(packet.payload) <= len(data) - media.HEADER_BYTES
    media.parse_extensions(packet.profile, packet.extension)
    media.parse_rtx_payload(packet.payload)
    numbers = pack_numbers(ssrc=1, sequence_shift=-1, timestamp_shift=7)
    (sent,) = renumber([(data[: media.HEADER_BYTES], data[media.HEADER_BYTES :])], numbers)
    assert len(sent) == len(data)


def rtcp(data: bytes) -> None:
    """Whole compounds: bounded work, nothing raised."""
    for part in feedback.parse(data).parts:
        if isinstance(part, feedback.Nack):
            assert len(part.lost) <= NACKED_MAX


def sdp(data: bytes) -> None:
    """Descriptions and fragments: read or refused."""
    for parse in (parse_offer, parse_fragment):
        try:
            parse(data)
        except Refused:
            continue


def payload(data: bytes) -> None:
    """Key frames, parameter sets and frames of every codec, out of any payload."""
    for codec in CODECS:
        starts = keyframe_detector(codec)
        if starts is not None:
            assert starts(data) in (True, False)
    sets = ParameterSets()
    sets.seen(data)
    for ahead in sets.ahead():
        assert ahead in data or len(ahead) <= len(data) + 16
    cut = data[0] if data else 0
    for codec in filter(can_assemble, CODECS):
        assembler = Assembler(codec)
        assembler.add(data[:cut], timestamp=0, marker=False)
        assembler.add(data[cut:], timestamp=0, marker=True)
        assembler.add(data, timestamp=3_000, marker=True)


def engine(data: bytes) -> None:
    """A room whose host and viewer are both possessed: what follows from it has a bound."""
    room, host, ann = RoomId("room"), SessionId("host"), SessionId("ann")
    vp8, opus = Codec(Kind.VIDEO, "vp8", 90_000), Codec(Kind.AUDIO, "opus", 48_000, 2)
    core = Engine()
    common = {MID: 1, ABS_SEND_TIME: 2, AUDIO_LEVEL: 3}
    tracks = [
        TrackSpec(
            mid="v",
            kind=Kind.VIDEO,
            codecs={96: vp8},
            ssrc=1,
            rtx_ssrc=2,
            rtx={97: 96},
            extensions=common,
            feedback=frozenset({"nack", "nack pli", "goog-remb", "transport-cc"}),
        ),
        TrackSpec(mid="a", kind=Kind.AUDIO, codecs={111: opus}, extensions=common),
    ]
    legs = [
        LegSpec(
            mid="v",
            kind=Kind.VIDEO,
            slot=0,
            ssrc=11,
            payload_types={vp8: 96},
            rtx_ssrc=12,
            rtx={96: 97},
            extensions=common,
        ),
        LegSpec(
            mid="a", kind=Kind.AUDIO, slot=0, ssrc=13, payload_types={opus: 111}, extensions=common
        ),
    ]
    core.publish(host, room, tracks, now=0.0)
    core.bind(room, 0, host, now=0.0)
    core.watch(ann, room, legs, now=0.0)
    core.connect(host, now=0.0)
    core.connect(ann, now=0.0)
    now = 0.0
    at = 0
    while at < len(data):
        head, size = data[at], data[at + 1] if at + 1 < len(data) else 0
        piece, at = data[at + 2 : at + 2 + size], at + 2 + size
        now += (head >> 2) / 64
        datagram = Datagram(host if head & 1 else ann, piece, bool(head & 2), now)
        out = core.receive([datagram], now=now, at_ntp=int(now * 2**32))
        sent = sum(len(batch.rtp) + len(batch.rtcp) for batch in out.batches)
        assert sent + sum(len(fan.packets) for fan in out.fans) <= OUT_PER_DATAGRAM_MAX
        due = core.deadline()
        if due is not None and due <= now:
            core.tick(now=now, at_ntp=int(now * 2**32))


def _framed(*pieces: tuple[int, bytes]) -> bytes:
    return b"".join(bytes((head, len(piece))) + piece for head, piece in pieces)


_PICTURE = media.write(
    marker=True, payload_type=96, sequence=1, timestamp=9, ssrc=1, payload=b"\x10\x00key"
)
_SPOKEN = media.write(
    marker=False,
    payload_type=111,
    sequence=5,
    timestamp=9,
    ssrc=3,
    payload=b"sound",
    extensions=media.write_extensions([(1, b"a"), (3, b"\x80")]),
)
_REPORT = feedback.write_receiver_report(
    feedback.ReceiverReport(1, (feedback.ReportBlock(11, 3, 4, 5, 6, 7, 8),))
)
_COMPOUNDS = (
    _REPORT + feedback.write_nack(1, 11, [1, 2, 3, 40]),
    _REPORT + feedback.write_picture_loss(1, 11),
    feedback.write_sender_report(feedback.SenderReport(1, 2**40, 3, 4, 5)),
    feedback.write_full_intra_request(1, [(11, 1)]),
    feedback.write_remb(1, 4_000_000, [11]),
    feedback.write_source_description(1, "name"),
    feedback.write_goodbye([1, 2]),
    bytes.fromhex("8fcd0005000000010000000b00010002000001000002"),
)
_CHECK = checks.write_request(
    bytes(12), username="a:b", password="password", priority=1, use_candidate=True, controlling=7
)

TARGETS = {
    "stun": Target(stun, (_CHECK, checks.write_success(bytes(12), ("127.0.0.1", 9), "password"))),
    "demux": Target(demux, (_CHECK, _PICTURE, _REPORT, b"\x16\xfe\xfd")),
    "rtp": Target(rtp, (_PICTURE, _SPOKEN)),
    "rtcp": Target(rtcp, _COMPOUNDS),
    "sdp": Target(
        sdp,
        (
            offer_text(direction="recvonly", ufrag="abcd").encode(),
            b"a=ice-ufrag:abcd\r\na=ice-pwd:" + b"p" * 22 + b"\r\nm=audio 9 x 0\r\na=mid:0\r\n",
        ),
    ),
    "payload": Target(
        payload,
        (
            b"\x10\x00key",
            b"\x90\x80\x01\x00",
            b"\x67\x42\x00\x1f",
            b"\x78\x00\x04\x67\x42\x00\x1f\x00\x02\x68\xce",
            b"\x7c\x85\x00\x01",
            b"\x8f\x81\x02\x03",
            b"\x18\x0a\x0b\x00",
        ),
    ),
    "engine": Target(
        engine,
        (
            _framed((1, _PICTURE), (1, _SPOKEN), (2, _COMPOUNDS[0]), (2, _COMPOUNDS[1])),
            _framed((5, _PICTURE), (3, _COMPOUNDS[2]), (2, _COMPOUNDS[3]), (2, _COMPOUNDS[4])),
        ),
    ),
}
