"""A WHIP publisher or WHEP viewer made of GStreamer's webrtcbin, for interoperability tests.

Runs under the system's Python, which has the bindings (python3-gi); prints one JSON line with
what it saw. Knows nothing of this project.
"""

import argparse
import json
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

ENCODERS = {
    "vp8": (
        "vp8enc deadline=1 cpu-used=8 threads=1 keyframe-max-dist=30 ! "
        "rtpvp8pay picture-id-mode=2 pt=96 ! "
        "application/x-rtp,media=video,encoding-name=VP8,payload=96"
    ),
    "h264": (
        "x264enc tune=zerolatency speed-preset=ultrafast threads=1 key-int-max=30 ! "
        "video/x-h264,profile=constrained-baseline ! "
        "rtph264pay config-interval=-1 aggregate-mode=zero-latency pt=102 ! "
        "application/x-rtp,media=video,encoding-name=H264,payload=102"
    ),
}
WANTED = {
    "vp8": "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000",
    "h264": (
        "application/x-rtp,media=video,encoding-name=H264,payload=102,clock-rate=90000,"
        "packetization-mode=(string)1"
    ),
    "audio": (
        "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,"
        "encoding-params=(string)2"
    ),
}


class Peer:
    """One webrtcbin and the HTTP requests around it."""

    def __init__(self, url: str, token: str, codec: str, *, play: bool, address: str) -> None:
        self.url, self.token, self.codec = url, token, codec
        self.location: str | None = None
        self.states: list[str] = []
        self.decoded: dict[str, int] = {}
        self.errors: list[str] = []
        self.pipeline = self._viewer() if play else self._publisher()
        self.rtc = self.pipeline.get_by_name("rtc")
        # webrtcbin 1.22 gives its agents away without a reference of ours: keep them.
        self.ice = self.rtc.get_property("ice-agent")
        self.nice = self.ice.get_property("agent")
        self.nice.set_property("upnp", False)
        self.ice.emit("add-local-ip-address", address)
        if play:
            for caps in (WANTED[codec], WANTED["audio"]):
                self.rtc.emit(
                    "add-transceiver",
                    GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY,
                    Gst.Caps.from_string(caps),
                )
        self.rtc.connect("on-negotiation-needed", self._negotiate)
        self.rtc.connect("notify::ice-gathering-state", self._gathered)
        self.rtc.connect("pad-added", self._pad)
        self.rtc.connect("notify::connection-state", self._state)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _b, m: self.errors.append(str(m.parse_error())))

    def _viewer(self):
        pipeline = Gst.Pipeline.new()
        rtc = Gst.ElementFactory.make("webrtcbin", "rtc")
        rtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        pipeline.add(rtc)
        return pipeline

    def _publisher(self):
        return Gst.parse_launch(
            "webrtcbin name=rtc bundle-policy=max-bundle "
            "videotestsrc is-live=true pattern=ball ! "
            "video/x-raw,width=320,height=240,framerate=15/1 ! videoconvert ! queue ! "
            f"{ENCODERS[self.codec]} ! rtc. "
            "audiotestsrc is-live=true ! audioconvert ! audioresample ! queue ! opusenc ! "
            "rtpopuspay pt=111 ! "
            "application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! rtc."
        )

    def _negotiate(self, _rtc) -> None:
        self.rtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self._offered, None))

    def _offered(self, promise, *_rest) -> None:
        promise.wait()
        # The reply owns the offer; both must outlive this call.
        self.reply = promise.get_reply()
        self.offer = self.reply["offer"]
        done = Gst.Promise.new()
        self.rtc.emit("set-local-description", self.offer, done)
        done.interrupt()

    def _gathered(self, *_rest) -> None:
        complete = GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if self.rtc.get_property("ice-gathering-state") != complete or self.location:
            return
        offer = self.rtc.get_property("local-description").sdp.as_text()
        answer = self._request("POST", self.url, offer.encode())
        _, message = GstSdp.SDPMessage.new()
        GstSdp.sdp_message_parse_buffer(answer, message)
        description = GstWebRTC.WebRTCSessionDescription.new(
            GstWebRTC.WebRTCSDPType.ANSWER, message
        )
        self.rtc.emit("set-remote-description", description, Gst.Promise.new())

    def _request(self, method: str, url: str, body: bytes | None) -> bytes:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/sdp"}
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        with urllib.request.urlopen(request) as response:
            location = response.headers.get("Location")
            if location:
                self.location = urllib.parse.urljoin(url, location)
            return response.read()

    def _state(self, *_rest) -> None:
        self.states.append(self.rtc.get_property("connection-state").value_nick)

    def _pad(self, _rtc, pad) -> None:
        if pad.direction != Gst.PadDirection.SRC:
            return
        decoder = Gst.ElementFactory.make("decodebin")
        self.pipeline.add(decoder)
        decoder.connect("pad-added", self._decoded)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def _decoded(self, _decoder, pad) -> None:
        kind = pad.get_current_caps().to_string().split("/")[0]
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("signal-handoffs", True)
        sink.set_property("sync", False)
        self.decoded[kind] = 0

        def count(*_rest) -> None:
            self.decoded[kind] += 1

        sink.connect("handoff", count)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def run(self, seconds: float) -> dict:
        loop = GLib.MainLoop()
        self.pipeline.set_state(Gst.State.PLAYING)
        GLib.timeout_add(int(seconds * 1000), loop.quit)
        loop.run()
        if self.location:
            self._request("DELETE", self.location, None)
        self.pipeline.set_state(Gst.State.NULL)
        return {
            "location": self.location,
            "states": self.states,
            "decoded": self.decoded,
            "errors": self.errors,
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--token", required=True)
    parser.add_argument("--codec", choices=sorted(ENCODERS), default="vp8")
    parser.add_argument("--play", action="store_true")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--address", default="10.77.0.1")
    arguments = parser.parse_args()
    Gst.init(None)
    peer = Peer(
        arguments.url,
        arguments.token,
        arguments.codec,
        play=arguments.play,
        address=arguments.address,
    )
    print(json.dumps(peer.run(arguments.seconds)), flush=True)


if __name__ == "__main__":
    main()
