"""`python -m bench picture`: what a browser shows of what a browser sends, over a lossy path.

Two pages of one Chromium: a camera by WHIP as the studio sends it, and a player by WHEP behind
a relay that loses packets both ways by a seed. Out: the sent and the received height, how much
of the time the picture stood still, key frames and repairs, as the browser's own statistics say.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, Page, async_playwright
from rich.console import Console

from bench.lines import Lines
from bench.machine import describe
from bench.path import Quality
from bench.relay import Relay
from bench.report import Distribution, Report
from bench.server import UnderTest

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
)
FROZEN_MAX = 0.005
"""The share of the time that a picture may stand still."""
READY_S = 20.0
"""For the first picture of full height; a browser raises its bitrate step by step."""
SCRIPT = """
async function exchange(url, token, pc, port) {
  await pc.setLocalDescription(await pc.createOffer());
  const headers = {"Content-Type": "application/sdp", "Authorization": "Bearer " + token};
  const reply = await fetch(url, {method: "POST", headers, body: pc.localDescription.sdp});
  let sdp = await reply.text();
  if (reply.status !== 201) throw new Error(reply.status + " " + sdp);
  if (port) sdp = sdp.replace(/^(a=candidate:.* udp \\d+ \\S+) \\d+/gm, "$1 " + port);
  await pc.setRemoteDescription({type: "answer", sdp});
}
window.publish = async (url, token, height, fps, bps, codec) => {
  const video = {width: height * 16 / 9, height, frameRate: fps};
  const media = await navigator.mediaDevices.getUserMedia({video, audio: true});
  const pc = window.peer = new RTCPeerConnection();
  const sender = pc.addTransceiver(media.getVideoTracks()[0],
    {direction: "sendonly", sendEncodings: [{maxBitrate: bps}]});
  const known = RTCRtpSender.getCapabilities("video").codecs;
  const wanted = known.filter(c => [codec, "video/rtx"].includes(c.mimeType));
  sender.setCodecPreferences(wanted);
  pc.addTransceiver(media.getAudioTracks()[0], {direction: "sendonly"});
  await exchange(url, token, pc);
};
window.play = async (url, token, port) => {
  const pc = window.peer = new RTCPeerConnection();
  pc.addTransceiver("video", {direction: "recvonly"});
  pc.addTransceiver("audio", {direction: "recvonly"});
  const element = document.createElement("video");
  element.muted = element.autoplay = true;
  document.body.append(element);
  const stream = element.srcObject = new MediaStream();
  pc.ontrack = event => stream.addTrack(event.track);
  await exchange(url, token, pc, port);
};
window.numbers = async direction => {
  const found = {};
  (await window.peer.getStats()).forEach(row => {
    if (row.type === direction + "-rtp" && row.kind === "video") Object.assign(found, row);
  });
  return found;
};
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is sent, over which path, for how long."""

    height: int
    fps: int
    bitrate_bps: int
    codec: str
    loss: float
    seconds: float
    seed: int


async def measure(test: UnderTest, plan: Plan, console: Console) -> Report:
    """Carry the plan out and report."""
    assert test.media is not None
    quality = Quality(loss=plan.loss, delay_s=0.03)
    relay = Relay(test.media, up=quality, down=quality, seed=plan.seed)
    relay.start()
    device = f"--use-fake-device-for-media-stream=fps={plan.fps}"
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=CHROMIUM, args=[*FLAGS, device]
            )
            try:
                host, viewer = [await _page(browser, test) for _ in range(2)]
                return await _watch(test, plan, console, relay, host, viewer)
            finally:
                await browser.close()
    finally:
        relay.close()


async def _page(browser: Browser, test: UnderTest) -> Page:
    """Open the server's first page: a secure context, whose scripts may use the camera."""
    page = await browser.new_page()
    await page.goto(test.url)
    await page.evaluate(f"() => {{ {SCRIPT} }}")
    return page


async def _watch(
    test: UnderTest, plan: Plan, console: Console, relay: Relay, host: Page, viewer: Page
) -> Report:
    base = f"{test.url}/v1/rooms/{test.room}"
    await host.evaluate(
        "a => publish(...a)",
        [
            f"{base}/whip",
            test.token("host", "host"),
            plan.height,
            plan.fps,
            plan.bitrate_bps,
            plan.codec,
        ],
    )
    await viewer.evaluate(
        "a => play(...a)", [f"{base}/whep", test.token("viewer"), relay.address[1]]
    )
    deadline = time.monotonic() + READY_S
    with console.status("until the picture has its full height"):
        while time.monotonic() < deadline:
            if (await _numbers(viewer, "inbound")).get("frameHeight", 0) >= plan.height:
                break
            await asyncio.sleep(0.2)
    before = await _numbers(viewer, "inbound")
    sent_before = await _numbers(host, "outbound")
    heights: list[tuple[float, float]] = []
    began = time.monotonic()
    with console.status(f"{plan.seconds:g} s"):
        while (elapsed := time.monotonic() - began) < plan.seconds:
            seen = await _numbers(viewer, "inbound")
            heights.append((elapsed, float(seen.get("frameHeight", 0))))
            await asyncio.sleep(1)
    after, sent = await _numbers(viewer, "inbound"), await _numbers(host, "outbound")
    lost = relay.counted()["lost down"]
    return _report(plan, before, after, sent_before, sent, heights, lost)


async def _numbers(page: Page, direction: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = await page.evaluate(f"numbers('{direction}')")
    return found


def _report(
    plan: Plan,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    sent_before: Mapping[str, Any],
    sent: Mapping[str, Any],
    heights: list[tuple[float, float]],
    lost_on_the_way: int,
) -> Report:
    def grown(name: str) -> float:
        return float(after.get(name, 0) or 0) - float(before.get(name, 0) or 0)

    frozen = grown("totalFreezesDuration") / plan.seconds
    sent_height = int(sent.get("frameHeight", 0))
    received = sorted({int(height) for _, height in heights})
    sent_bytes = float(sent.get("bytesSent", 0)) - float(sent_before.get("bytesSent", 0))
    failures: dict[str, int] = {}
    if plan.loss and not lost_on_the_way:
        failures["the relay lost nothing: the media did not go through it"] = 1
    if not received or received != [sent_height]:
        failures[f"received heights {received}, sent {sent_height}"] = 1
    if frozen > FROZEN_MAX:
        failures[f"frozen more than {FROZEN_MAX:.1%} of the time"] = 1
    return Report(
        name="picture",
        title=f"{plan.height}p{plan.fps} {plan.codec} over a path that loses {plan.loss:.0%}",
        facts={**describe(), "seed": str(plan.seed), "measured": f"{plan.seconds:g} s"},
        figures={
            "sent height": sent_height,
            "least received height": min(received, default=0),
            "sent, Mbit/s": sent_bytes * 8 / plan.seconds / 1e6,
            "sent frames a second": float(sent.get("framesPerSecond", 0) or 0),
            "% of the time frozen": frozen * 100,
            "freezes": grown("freezeCount"),
            "frames decoded": grown("framesDecoded"),
            "frames dropped": grown("framesDropped"),
            "datagrams lost by the relay, downwards": lost_on_the_way,
            "packets lost, before repair": grown("packetsLost"),
            "packets repaired": grown("retransmittedPacketsReceived"),
            "key frames asked for": grown("pliCount"),
            "sender limited by": {"none": 0, "cpu": 1, "bandwidth": 2, "other": 3}.get(
                str(sent.get("qualityLimitationReason")), 3
            ),
        },
        distributions=[
            Distribution("received height", "px", tuple(height for _, height in heights))
        ],
        failures=failures,
        curve="Share of looks at which the height was at most",
        lines=[Lines("Received height", "s", "px", {"received": heights})],
    )
