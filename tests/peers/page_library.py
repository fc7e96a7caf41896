"""The page of a third party's WHIP and WHEP code: its files and its script."""

from pathlib import Path

LIBRARY = Path(__file__).parent / "node_modules" / "whip-whep"
PAGE = """<!doctype html><script type="module">
import {WHIPClient} from "/whip.js";
import {WHEPClient} from "/whep.js";
window.publish = async (url, token) => {
  const media = await navigator.mediaDevices.getUserMedia({video: true, audio: true});
  window.sender = new RTCPeerConnection();
  for (const track of media.getTracks()) sender.addTransceiver(track, {direction: "sendonly"});
  window.whip = new WHIPClient();
  await whip.publish(sender, url, token);
};
window.play = async (url, token) => {
  window.receiver = new RTCPeerConnection();
  receiver.addTransceiver("video", {direction: "recvonly"});
  receiver.addTransceiver("audio", {direction: "recvonly"});
  window.whep = new WHEPClient();
  await whep.view(receiver, url, token);
};
window.ready = true;
</script>"""
