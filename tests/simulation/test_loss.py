"""Loss on the host's or a viewer's path, both ways, and what of the media is there in time.

The engine is the real one, in virtual time; host and viewer repair as libwebrtc does.
"""

import os
import random
from collections import Counter

import pytest

from bench.path import Path, issue_quality
from sfu.packet import rtcp, rtp
from tests.sfu.media.conftest import DELTA, KEY, Scene
from tests.simulation.timeline import Timeline

ROUNDS = int(os.environ.get("LIVEROOM_TEST_ROUNDS", "1"))
PACKETS = 6_000
INTERVAL_S = 0.004
FRAME_PACKETS = 8
"""A burst of eight every 32 ms: 2.4 Mbit/s at 1,200 bytes."""
IN_TIME_S = 0.4
RETRY_S = 0.1
"""libwebrtc's receivers ask again after a round trip; who only receives takes it for 100 ms."""
RETRIES_MAX = 10
RESEND_GAP_S = 0.06
"""libwebrtc's senders do not answer again within a round trip."""
LOST_FOR_S = 0.5
"""A viewer that has waited so long for a packet asks for a key frame, at most so often."""
VIEWER_SSRC, VIEWER_RTX = 50_000, 50_001
FIRST = VIEWER_SSRC & 0x7FFF
GOALS = {0.05: 0.999, 0.1: 0.995, 0.2: 0.98}


class World:
    """A host and a viewer at the far ends of their paths."""

    def __init__(self, seed, *, host=0.0, viewer=0.0):
        self.scene = Scene()
        self.host = self.scene.publish()
        self.scene.watch()
        self.time = Timeline(self.scene.now)
        losses = {
            "to server": host,
            "to host": host,
            "to viewer": viewer,
            "from viewer": viewer,
        }
        self.paths = {
            name: Path(issue_quality(loss), random.Random(f"{seed} {name}"))
            for name, loss in losses.items()
        }
        self.sent, self.forwarded, self.came = {}, {}, {}
        self.resent_at = {}
        self.rtx_sequence = 0
        self.newest = FIRST - 1
        self.asked_at = float("-inf")
        self.counts = Counter()

    def run(self):
        start = self.time.now
        for n in range(PACKETS):
            burst = n // FRAME_PACKETS * FRAME_PACKETS
            self.time.at(start + burst * INTERVAL_S, self.send, n)
        end = start + PACKETS * INTERVAL_S + 2
        engine = self.scene.engine
        while (moment := self.time.next()) is not None and moment <= end:
            due = engine.deadline()
            if due is not None and due <= moment:
                self.scene.now = self.time.now = max(self.time.now, due)
                self.scene.take(engine.tick(now=self.time.now, at_ntp=self.scene.at_ntp))
                self.drain()
                continue
            self.time.step()

    def receive(self, session, data, is_rtcp=False):
        self.scene.now = self.time.now
        self.scene.receive(session, data, is_rtcp=is_rtcp)
        self.drain()

    def carry(self, name, call, *arguments):
        self.time.carry(self.paths[name], call, *arguments)

    def drain(self):
        """Put what the engine sent onto the paths."""
        for packet in self.scene.media.pop("ann", ()):
            if packet.ssrc in (VIEWER_SSRC, VIEWER_RTX):
                self.sent_on(packet)
                # Joining under loss is another scene: the first packet always arrives.
                is_first = packet.ssrc == VIEWER_SSRC and packet.sequence == FIRST
                if is_first:
                    self.view(packet)
                else:
                    self.carry("to viewer", self.view, packet)
        for _, parts in self.scene.reports.pop("host", ()):
            self.carry("to host", self.told, parts)
        for _, parts in self.scene.reports.pop("ann", ()):
            self.carry("to viewer", self.reported, parts)

    def sent_on(self, packet):
        number, _ = original(packet)
        self.forwarded.setdefault(number, self.time.now)

    # -- the host

    def send(self, n):
        self.sent[n] = self.time.now
        data = self.packet(n)
        if n == 0:
            self.receive("host", data)
        else:
            self.carry("to server", self.receive, "host", data)

    def packet(self, n):
        payload = (KEY if n == 0 else DELTA) + b"%d" % n
        return self.host.packet("v", payload, sequence=n, timestamp=n // FRAME_PACKETS * 2880)

    def told(self, parts):
        for part in parts:
            if isinstance(part, rtcp.PictureLoss):
                self.counts["keyframes_asked"] += 1
            if not isinstance(part, rtcp.Nack):
                continue
            for number in part.lost:
                if self.time.now - self.resent_at.get(number, float("-inf")) >= RESEND_GAP_S:
                    self.resent_at[number] = self.time.now
                    self.carry("to server", self.receive, "host", self.repair(number))

    def repair(self, number):
        first = rtp.parse(self.packet(number))
        self.rtx_sequence += 1
        return rtp.write(
            marker=first.marker,
            payload_type=97,
            sequence=self.rtx_sequence,
            timestamp=first.timestamp,
            ssrc=77,
            payload=rtp.write_rtx_payload(number, first.payload),
        )

    # -- the viewer

    def view(self, packet):
        number, sequence = original(packet)
        assert sequence - FIRST == number, "a packet came under another's number"
        self.counts["repeated"] += number in self.came
        self.came.setdefault(number, self.time.now)
        missing = [n for n in range(self.newest + 1, sequence) if n - FIRST not in self.came]
        self.newest = max(self.newest, sequence)
        if missing:
            self.ask(missing, RETRIES_MAX)
            self.time.at(self.time.now + LOST_FOR_S, self.give_up, missing)

    def reported(self, parts):
        """Answer a sender report as receivers do, so that the server knows the round trip."""
        for part in parts:
            if isinstance(part, rtcp.SenderReport) and part.ssrc == VIEWER_SSRC:
                self.time.at(self.time.now + 0.2, self.report, (part.ntp >> 16) & 0xFFFFFFFF)

    def report(self, last):
        block = rtcp.ReportBlock(VIEWER_SSRC, 0, 0, self.newest, 0, last, round(0.2 * 65536))
        report = rtcp.write_receiver_report(rtcp.ReceiverReport(1, (block,)))
        self.carry("from viewer", self.receive, "ann", report, True)

    def ask(self, sequences, times):
        missing = [sequence for sequence in sequences if sequence - FIRST not in self.came]
        if missing and times:
            nack = rtcp.write_nack(1, VIEWER_SSRC, missing)
            self.carry("from viewer", self.receive, "ann", nack, True)
            self.time.at(self.time.now + RETRY_S, self.ask, missing, times - 1)

    def give_up(self, sequences):
        if all(sequence - FIRST in self.came for sequence in sequences):
            return
        if self.time.now - self.asked_at >= LOST_FOR_S:
            self.asked_at = self.time.now
            pli = rtcp.write_picture_loss(1, VIEWER_SSRC)
            self.carry("from viewer", self.receive, "ann", pli, True)


def original(packet):
    """The host's number of a packet, and the viewer's."""
    sequence, payload = packet.sequence, packet.payload
    if packet.ssrc == VIEWER_RTX:
        sequence, payload = rtp.parse_rtx_payload(payload)
    return int(payload[len(KEY if payload.startswith(KEY) else DELTA) :]), sequence


def share_in_time(began, ended, *, of=PACKETS):
    """The share of all packets that took at most 400 ms from one moment to another."""
    good = sum(n in ended and ended[n] - at <= IN_TIME_S for n, at in began.items())
    return good / of


@pytest.mark.parametrize(("loss", "least"), GOALS.items())
@pytest.mark.parametrize("where", ["host", "viewer"])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_what_a_lossy_path_takes_is_there_in_400_ms(seed, where, loss, least):
    world = World(seed, **{where: loss})
    world.run()
    if where == "host":
        share = share_in_time(world.sent, world.forwarded)
    else:
        share = share_in_time(world.forwarded, world.came)
    assert share >= least, (share, world.counts)
    stats = world.scene.engine.stats()
    # Nothing is sent again more often than three times, nor a key frame asked for twice a second.
    assert stats.repairs_out <= 3 * PACKETS * (loss + issue_quality(loss).reordered)
    assert stats.keyframes_asked <= PACKETS * INTERVAL_S + 1
