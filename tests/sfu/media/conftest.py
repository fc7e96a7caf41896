"""A stage to play on: an engine in virtual time, publishers that send, viewers that look."""

from collections import defaultdict
from itertools import pairwise

import pytest

from sfu.media.engine import Engine
from sfu.media.model import Codec, Datagram, Kind, LegSpec, TrackSpec
from sfu.media.shape import ABS_SEND_TIME, AUDIO_LEVEL, MID
from sfu.packet import rtcp, rtp
from sfu.packet.rewrite import renumber, timestamp_ahead

VP8 = Codec(Kind.VIDEO, "vp8", 90_000)
H264 = Codec(Kind.VIDEO, "h264", 90_000, parameters="42e01f/1")
OPUS = Codec(Kind.AUDIO, "opus", 48_000, 2)
KEY = b"\x10\x00" + b"key frame"
DELTA = b"\x10\x01" + b"delta"
NTP_START = 3_900_000_000 << 32
FRAME_S = 1 / 30


class Publisher:
    """Sends one video and one audio track with numbers of its own."""

    def __init__(self, scene, session, *, start, ssrc):
        self.scene, self.session = scene, session
        self.next = {"v": start, "a": start}
        self.ssrc = {"v": ssrc, "a": ssrc + 1}
        self.payload_type = {"v": 96, "a": 111}

    def packet(self, mid, payload, *, sequence, timestamp=None, level=None, mark_mid=False):
        step = 3000 if mid == "v" else 960
        values = [(1, mid.encode())] if mark_mid else []
        values += [(3, level)] if level else []
        return rtp.write(
            marker=True,
            payload_type=self.payload_type[mid],
            sequence=sequence,
            timestamp=sequence * step if timestamp is None else timestamp,
            ssrc=self.ssrc[mid],
            payload=payload,
            extensions=rtp.write_extensions(values),
        )

    def send(self, mid="v", payload=DELTA, **values):
        """Send the next packet of a track."""
        data = self.packet(mid, payload, sequence=self.next[mid], **values)
        self.next[mid] += 1
        return self.scene.receive(self.session, data)

    def key(self):
        return self.send("v", KEY)

    def lose(self, mid="v"):
        """Make the next packet and lose it on the way; return it for a later resend."""
        data = self.packet(mid, DELTA, sequence=self.next[mid])
        self.next[mid] += 1
        return data


def fanned(output):
    """Every packet of an output's fans as its leg is sent it, with the leg's session."""
    return [
        (session, plain)
        for fan in output.fans
        for session, numbers in zip(*fan.roster, strict=True)
        for plain in renumber(fan.packets, numbers)
    ]


class Scene:
    """The engine and all that came out of it, per session, in order."""

    def __init__(self):
        self.engine = Engine()
        self.now = 100.0
        self.media = defaultdict(list)
        self.reports = defaultdict(list)
        self.events = []

    @property
    def at_ntp(self):
        return NTP_START + int(self.now * 2**32)

    def take(self, output):
        for batch in output.batches:
            for packet in batch.rtp:
                self.media[batch.session].append(rtp.parse(packet.header + packet.payload))
        for session, plain in fanned(output):
            self.media[session].append(rtp.parse(plain))
        for batch in output.batches:
            for data in batch.rtcp:
                compound = rtcp.parse(data)
                assert (compound.malformed, compound.unknown) == (0, 0)
                self.reports[batch.session].append((self.now, compound.parts))
        self.events += output.events
        return output

    def receive(self, session, *packets, is_rtcp=False):
        batch = [Datagram(session, data, is_rtcp, self.now) for data in packets]
        return self.take(self.engine.receive(batch, now=self.now, at_ntp=self.at_ntp))

    def pass_time(self, seconds):
        """Let time pass, waking the engine whenever it wants to be woken."""
        end = self.now + seconds
        wakes = 0
        while (due := self.engine.deadline()) is not None and due <= end:
            wakes += 1
            assert wakes < 1000 + 200 * seconds, "the engine wants to be woken without end"
            self.now = max(self.now, due)
            self.take(self.engine.tick(now=self.now, at_ntp=self.at_ntp))
        self.now = end

    def publish(
        self,
        session="host",
        *,
        slot=0,
        room="room",
        start=10,
        ssrc=1000,
        feedback=("nack", "nack pli", "goog-remb"),
        codecs=None,
        known_ssrc=True,
        bind=True,
    ):
        specs = [
            TrackSpec(
                mid="v",
                kind=Kind.VIDEO,
                codecs=codecs or {96: VP8},
                ssrc=ssrc if known_ssrc else None,
                rtx={97: 96},
                extensions={MID: 1},
                feedback=frozenset(feedback),
            ),
            TrackSpec(
                mid="a",
                kind=Kind.AUDIO,
                codecs={111: OPUS},
                ssrc=ssrc + 1 if known_ssrc else None,
                extensions={MID: 1, AUDIO_LEVEL: 3},
            ),
        ]
        self.engine.publish(session, room, specs, now=self.now)
        self.take(self.engine.connect(session, now=self.now))
        if bind:
            self.bind(slot, session, room=room)
        return Publisher(self, session, start=start, ssrc=ssrc)

    def watch(
        self,
        session="ann",
        *,
        room="room",
        ssrc=50_000,
        slots=1,
        rtx=True,
        codecs=None,
        extensions=None,
        connect=True,
    ):
        specs = []
        for slot in range(slots):
            base = ssrc + 10 * slot
            specs += [
                LegSpec(
                    mid=f"v{slot}",
                    kind=Kind.VIDEO,
                    slot=slot,
                    ssrc=base,
                    payload_types=codecs or {VP8: 120},
                    rtx_ssrc=base + 1 if rtx else None,
                    rtx={120: 121} if rtx else {},
                    extensions=extensions or {},
                ),
                LegSpec(
                    mid=f"a{slot}",
                    kind=Kind.AUDIO,
                    slot=slot,
                    ssrc=base + 2,
                    payload_types={OPUS: 63},
                    extensions=extensions or {},
                ),
            ]
        self.engine.watch(session, room, specs, now=self.now)
        if connect:
            self.take(self.engine.connect(session, now=self.now))

    def bind(self, slot, source, *, room="room"):
        return self.take(self.engine.bind(room, slot, source, now=self.now))

    def close(self, session):
        return self.take(self.engine.close(session, now=self.now))

    def got(self, session="ann", ssrc=50_000):
        """The packets of one stream that a viewer was sent."""
        return [packet for packet in self.media[session] if packet.ssrc == ssrc]

    def asked(self, session="host", kind=rtcp.PictureLoss):
        """When a publisher was asked for something, with what was asked."""
        return [
            (at, part)
            for at, parts in self.reports[session]
            for part in parts
            if isinstance(part, kind)
        ]

    def nack(self, *sequences, session="ann", ssrc=50_000):
        return self.receive(session, rtcp.write_nack(1, ssrc, sequences), is_rtcp=True)

    def pli(self, session="ann", ssrc=50_000):
        return self.receive(session, rtcp.write_picture_loss(1, ssrc), is_rtcp=True)


def film(host, frames, *, size=0, key=KEY):
    """Send a key frame and what follows in real time, a packet a frame."""
    for n in range(frames):
        host.send("v", (DELTA if n else key) + b"%d" % n + bytes(size))
        host.scene.pass_time(FRAME_S)


def rising(packets):
    """The packets, checked to bear numbers one apart and ever later timestamps."""
    for before, after in pairwise(packets):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        assert timestamp_ahead(after.timestamp, before.timestamp) > 0
    return packets


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def extensions():
    return {MID: 4, ABS_SEND_TIME: 5, AUDIO_LEVEL: 6}


@pytest.fixture
def codecs():
    return {"vp8": VP8, "h264": H264, "opus": OPUS}
