"""What Chromium does on an empty page, without a library of ours: publish, play, count."""

from playwright.sync_api import Browser, Page

from tests.peers.conftest import Shell

SCRIPT = """
async function post(url, token, pc, without, port) {
  await pc.setLocalDescription(await pc.createOffer());
  const headers = {"Content-Type": "application/sdp", "Authorization": "Bearer " + token};
  const lines = pc.localDescription.sdp.split("\\r\\n");
  const body = lines.filter(line => !without || !line.includes(without)).join("\\r\\n");
  const reply = await fetch(url, {method: "POST", headers, body});
  let text = await reply.text();
  if (port) text = text.replace(/^(a=candidate:\\S+ \\d udp \\d+ \\S+) \\d+/gm, "$1 " + port);
  if (reply.status !== 201) throw new Error(reply.status + " " + text);
  await pc.setRemoteDescription({type: "answer", sdp: text});
  return {location: reply.headers.get("Location"), tag: reply.headers.get("ETag"),
          link: reply.headers.get("Link")};
}
async function publish(base, codec, encodings, without, width) {
  const media = await navigator.mediaDevices.getUserMedia(
    {video: {width: width || 640, height: (width || 640) * 9 / 16, frameRate: 15}, audio: true});
  const pc = window.publisher = new RTCPeerConnection();
  pc.addTransceiver(media.getAudioTracks()[0], {direction: "sendonly"});
  const video = pc.addTransceiver(media.getVideoTracks()[0],
    {direction: "sendonly", sendEncodings: encodings});
  if (codec) {
    const all = RTCRtpSender.getCapabilities("video").codecs;
    const isRepair = c => c.mimeType === "video/rtx";
    video.setCodecPreferences([...all.filter(c => c.mimeType === codec), ...all.filter(isRepair)]);
  }
  return await post(base + "/whip/r1", "host:chromium", pc, without);
}
async function play(base, port) {
  const pc = window.viewer = new RTCPeerConnection();
  pc.addTransceiver("video", {direction: "recvonly"});
  pc.addTransceiver("audio", {direction: "recvonly"});
  const element = document.createElement("video");
  element.muted = element.autoplay = true;
  document.body.append(element);
  const stream = element.srcObject = new MediaStream();
  pc.ontrack = event => stream.addTrack(event.track);
  window.shownAt = [];
  const shown = at => { window.shownAt.push(at); element.requestVideoFrameCallback(shown); };
  element.requestVideoFrameCallback(shown);
  return await post(base + "/whep/r1", port ? "viewer:narrow" : "viewer:chromium", pc,
    null, port);
}
async function outgoing() {
  let found = 0;
  (await window.publisher.getStats()).forEach(entry => {
    if (entry.type === "candidate-pair" && entry.nominated)
      found = Math.max(found, entry.availableOutgoingBitrate || 0);
  });
  return found;
}
async function received() {
  const found = {frames: 0, samples: 0, codec: null};
  const report = await window.viewer.getStats();
  report.forEach(entry => {
    if (entry.type !== "inbound-rtp") return;
    if (entry.kind === "video") {
      found.frames = entry.framesDecoded;
      found.ssrc = entry.ssrc;
      found.height = entry.frameHeight;
      found.freezes = entry.freezeCount;
      found.frozen = entry.totalFreezesDuration;
      found.seconds = (entry.totalInterFrameDelay || 0);
      found.codec = entry.codecId ? report.get(entry.codecId).mimeType : null;
    } else found.samples = entry.totalSamplesReceived;
  });
  return found;
}
"""
NAMES = "publish, play, received, outgoing"


def open_page(browser: Browser, shell: Shell) -> Page:
    """Open an empty page that knows the functions above."""
    page = browser.new_page()
    page.goto(f"{shell.url}/page")
    page.evaluate(f"() => {{ {SCRIPT} Object.assign(window, {{{NAMES}}}); }}")
    return page
