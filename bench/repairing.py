"""A light viewer that repairs as browsers do: it asks again for what is missing, and reports.

In: protected packets of one video stream. Out: NACKs, receiver reports and key frame requests,
and for each number how long after its sending it was there. Sound is not looked at.
"""

import asyncio
import time
from dataclasses import dataclass

import httpx

from bench.generator import sent_at_s
from bench.light import Factory, LightViewer
from sfu.packet import rtcp, rtp
from sfu.packet.rewrite import unwrap

VIDEO_TYPE, REPAIR_TYPE = 96, 97
"""As `light.write_offer` numbers them."""
ASK_EVERY_S = 0.02
"""libwebrtc looks so often what to ask for."""
ROUND_TRIP_FIRST_GUESS_S = 0.1
ASKS_MAX = 10
GIVE_UP_S = 1.0
"""A frame that is missing something for longer is given up: a key frame is asked for."""
KEYFRAME_EVERY_S = 0.3
"""Not more often than that (libwebrtc's least distance between two requests)."""
REPORT_EVERY_S = 1.0
OWN_SSRC = 1


@dataclass(slots=True)
class _Missing:
    since: float
    next_at: float
    asked_at: float = 0.0
    asks: int = 0


class RepairingViewer(LightViewer):
    """One viewer; look at `delays_s` and `highest` while it stays."""

    def __init__(
        self,
        factory: Factory,
        http: httpx.AsyncClient,
        base_url: str,
        room: str,
        token: str | None,
        *,
        relay: tuple[str, int],
    ) -> None:
        super().__init__(factory, http, base_url, room, token)
        self.relayed_by = relay
        self.delays_s: dict[int, float] = {}
        """By unwrapped number: from the host's sending to the first arrival."""
        self.highest: int | None = None
        self.asked = self.keyframes_wanted = 0
        self._ssrc = 0
        self._missing: dict[int, _Missing] = {}
        self._round_trip_s = ROUND_TRIP_FIRST_GUESS_S
        self._wanted_at = 0.0
        self._reported_at = 0.0
        self._sender_report: tuple[int, float] | None = None
        self._repairer: asyncio.TimerHandle | None = None

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Look into media, leave the rest to any light viewer."""
        super().datagram_received(data, addr)
        if self._srtp is None or not data or data[0] < 128:
            return
        if 192 <= data[1] <= 223:
            self._take_report(data)
            return
        plain = self._srtp.unprotect_rtp(data)
        packet = None if plain is None else rtp.parse(plain)
        if packet is not None:
            self._take(packet, time.monotonic())

    async def leave(self) -> None:
        """Stop asking, then leave."""
        if self._repairer is not None:
            self._repairer.cancel()
        await super().leave()

    def _decrypt(self, data: bytes) -> None:
        """Only note that media came: it is decrypted once, for its content."""
        if not self._decrypted and not 192 <= data[1] <= 223 and self._srtp is not None:
            self._decrypted = True
            self._done("first_packet")

    def _take(self, packet: rtp.RtpPacket, now: float) -> None:
        sequence, payload = packet.sequence, packet.payload
        if packet.payload_type == REPAIR_TYPE:
            original = rtp.parse_rtx_payload(payload)
            if original is None or self.highest is None:
                return
            sequence, payload = original
        elif packet.payload_type != VIDEO_TYPE:
            return
        else:
            self._ssrc = packet.ssrc
        if self.highest is None:
            self.highest = sequence
            self._repairer = asyncio.get_running_loop().call_later(ASK_EVERY_S, self._repair)
        number = unwrap(sequence, self.highest)
        self.delays_s.setdefault(number, now - sent_at_s(payload))
        missing = self._missing.pop(number, None)
        if missing is not None and missing.asks == 1:
            self._round_trip_s += (now - missing.asked_at - self._round_trip_s) / 8
        if number > self.highest:
            for lost in range(self.highest + 1, number):
                self._missing[lost] = _Missing(now, now)
            self.highest = number

    def _repair(self) -> None:
        now = time.monotonic()
        self._repairer = asyncio.get_running_loop().call_later(ASK_EVERY_S, self._repair)
        asked = []
        for number, missing in list(self._missing.items()):
            if missing.asks >= ASKS_MAX or now - missing.since > GIVE_UP_S:
                del self._missing[number]
                self._want_keyframe(now)
            elif missing.next_at <= now:
                missing.asks += 1
                missing.asked_at = now
                missing.next_at = now + max(ASK_EVERY_S, self._round_trip_s)
                asked.append(number & 0xFFFF)
        self.asked += len(asked)
        if asked:
            self._report(now, rtcp.write_nack(OWN_SSRC, self._ssrc, asked))
        elif now - self._reported_at >= REPORT_EVERY_S:
            self._report(now, b"")

    def _want_keyframe(self, now: float) -> None:
        if now - self._wanted_at >= KEYFRAME_EVERY_S:
            self._wanted_at = now
            self.keyframes_wanted += 1
            self._report(now, rtcp.write_picture_loss(OWN_SSRC, self._ssrc))

    def _report(self, now: float, more: bytes) -> None:
        assert self._srtp is not None
        assert self.highest is not None
        self._reported_at = now
        last, delay = 0, 0
        if self._sender_report is not None:
            ntp, came = self._sender_report
            last, delay = ntp >> 16 & 0xFFFFFFFF, int((now - came) * 65_536)
        block = rtcp.ReportBlock(self._ssrc, 0, 0, self.highest & 0xFFFFFFFF, 0, last, delay)
        compound = rtcp.write_receiver_report(rtcp.ReceiverReport(OWN_SSRC, (block,)))
        wire = self._srtp.protect_rtcp(compound + more)
        if wire is not None:
            self._send_all([wire])

    def _take_report(self, data: bytes) -> None:
        assert self._srtp is not None
        plain = self._srtp.unprotect_rtcp(data)
        for part in () if plain is None else rtcp.parse(plain).parts:
            if isinstance(part, rtcp.SenderReport) and part.ssrc == self._ssrc:
                self._sender_report = (part.ntp, time.monotonic())
