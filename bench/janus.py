"""Janus from Debian as a peer: its streaming plugin, fed with plain RTP, and viewers of it.

Janus finds its own addresses and would look for more outside, so all this runs in a network
namespace that nothing leaves (`bench.closed_net`); there it uses the one interface. In: how
many packets a second. Out: where viewers ask, and its process id.
"""

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from bench.closed_net import ADDRESS
from bench.light import Answer, EntryFailed, Factory, LightViewer, read_answer
from bench.server import ServerFailed, free_port
from sfu.packet.stun import parse_request, verify_integrity, write_success

READY_WITHIN_S = 15.0
STOP_WITHIN_S = 10.0
MOUNTPOINT = 1
VIDEO_TYPE, AUDIO_TYPE = 96, 111
EVENTS_MAX = 20
"""Polls of one viewer's session for the offer; others of its events come between."""

_CORE = """
general: {{
  configs_folder = "{folder}"
  plugins_folder = "{libraries}/plugins"
  transports_folder = "{libraries}/transports"
  events_folder = "{libraries}/none"
  loggers_folder = "{libraries}/none"
  debug_level = 3
  session_timeout = 0
}}
nat: {{
  ice_enforce_list = "{address}"
}}
plugins: {{ disable = "{plugins}" }}
transports: {{ disable = "{transports}" }}
"""
_HTTP = """
general: {{ json = "plain", base_path = "/janus", http = true, port = {port}, ip = "127.0.0.1" }}
admin: {{ admin_http = false }}
"""
_STREAMING = """
bench: {{
  type = "rtp"
  id = {mountpoint}
  media = (
    {{ type = "video", mid = "v", port = {video}, pt = {video_type}, codec = "vp8" }},
    {{ type = "audio", mid = "a", port = {audio}, pt = {audio_type}, codec = "opus" }}
  )
}}
"""


def obstacle() -> str | None:
    """Say why there is no Janus to measure; None when there is one."""
    return None if which("janus") else "Janus is missing: apt-get install janus."


@contextmanager
def janus(pps: float) -> Iterator[tuple[str, int]]:
    """Run Janus and a packet generator; yield the address of its HTTP interface and its pid.

    Raises:
        ServerFailed: it did not come up.

    """
    libraries = Path(which("janus") or "").resolve().parent.parent / "lib"
    found = next(libraries.glob("*/janus"), None) or next(libraries.glob("janus"), None)
    if found is None:
        raise ServerFailed("Janus' plugins are not where they are in Debian.")
    with TemporaryDirectory(prefix="liveroom-bench-janus-") as folder:
        place = Path(folder)
        port, video, audio = free_port(), free_port(udp=True), free_port(udp=True)
        _configure(place, found, port=port, video=video, audio=audio)
        with (place / "janus.log").open("wb") as log:
            server = subprocess.Popen(
                ["janus", "-F", folder, "-C", str(place / "janus.jcfg")], stdout=log, stderr=log
            )
            with _ended(server):
                url = f"http://127.0.0.1:{port}/janus"
                _wait_ready(url, server, place / "janus.log")
                feed = [sys.executable, "-m", "bench.generator", "rtp"]
                with _ended(subprocess.Popen([*feed, str(video), str(audio), str(pps)])):
                    yield url, server.pid


def _configure(place: Path, found: Path, *, port: int, video: int, audio: int) -> None:
    plugins = [one.name for one in (found / "plugins").glob("*.so") if "streaming" not in one.name]
    transports = [one.name for one in (found / "transports").glob("*.so") if "http" not in one.name]
    core = _CORE.format(
        folder=place,
        libraries=found,
        address=ADDRESS,
        plugins=",".join(plugins),
        transports=",".join(transports),
    )
    (place / "janus.jcfg").write_text(core)
    (place / "janus.transport.http.jcfg").write_text(_HTTP.format(port=port))
    (place / "janus.plugin.streaming.jcfg").write_text(
        _STREAMING.format(
            mountpoint=MOUNTPOINT,
            video=video,
            audio=audio,
            video_type=VIDEO_TYPE,
            audio_type=AUDIO_TYPE,
        )
    )


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and server.poll() is None:
        try:
            if httpx.get(f"{url}/info", timeout=1, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise ServerFailed(f"Janus did not become ready:\n{log.read_text(errors='replace')[-2_000:]}")


class JanusViewer(LightViewer):
    """A light viewer of the streaming plugin: there the server offers and the viewer answers."""

    def __init__(self, factory: Factory, http: httpx.AsyncClient, url: str) -> None:
        super().__init__(factory, http, url, "", None)
        self._sock.bind((ADDRESS, 0))
        self._handle = ""

    async def _signal(self) -> Answer:
        session = await self._command(self._base_url, {"janus": "create"})
        place = f"{self._base_url}/{session['data']['id']}"
        attach = {"janus": "attach", "plugin": "janus.plugin.streaming"}
        handle = await self._command(place, attach)
        self._handle = f"{place}/{handle['data']['id']}"
        self._done("http")
        await self._message({"request": "watch", "id": MOUNTPOINT})
        offer = (await self._event(place, "jsep"))["jsep"]["sdp"]
        await self._message(
            {"request": "start"}, {"type": "answer", "sdp": self._write_reply(offer)}
        )
        # Checks that come before the answer has been taken in are answered and forgotten.
        await self._event(place, "plugindata")
        self._done("whep")
        return read_answer(offer)

    async def leave(self) -> None:
        """Close the socket; the handle goes with its server."""
        self._close()

    def _check(self) -> None:
        """Ask for nothing: as the one who offers Janus checks and nominates (RFC 8445 6.1.1)."""

    def _receive_check(self, data: bytes) -> None:
        request = parse_request(data)
        assert self._transport is not None
        assert self._answer is not None
        if request is None or not verify_integrity(data, self._pwd):
            return
        address = self._answer.address
        self._transport.sendto(write_success(request.transaction, address, self._pwd))
        if request.use_candidate and not self._checked:
            self._begin_handshake()

    async def _event(self, place: str, kind: str) -> dict[str, Any]:
        """Wait for the next event that carries such a part."""
        for _ in range(EVENTS_MAX):
            reply = await self._http.get(place, params={"maxev": "1"})
            event: dict[str, Any] = reply.json()
            if kind in event:
                return event
        raise EntryFailed("whep", f"no_{kind}")

    async def _message(self, body: dict[str, Any], jsep: dict[str, str] | None = None) -> None:
        message: dict[str, Any] = {"janus": "message", "body": body}
        if jsep is not None:
            message["jsep"] = jsep
        await self._command(self._handle, message)

    async def _command(self, url: str, command: dict[str, Any]) -> dict[str, Any]:
        reply = await self._http.post(url, json={"transaction": secrets.token_hex(6), **command})
        found: dict[str, Any] = reply.json()
        if found.get("janus") not in ("success", "ack"):
            raise EntryFailed("http", str(found.get("error", {}).get("code", "refused")))
        return found

    def _write_reply(self, offer: str) -> str:
        """Agree to all that is offered."""
        lines = []
        for line in offer.replace("\r\n", "\n").strip().split("\n"):
            name = line.partition(":")[0]
            match name:
                case "a=ice-ufrag":
                    line = f"a=ice-ufrag:{self._ufrag}"
                case "a=ice-pwd":
                    line = f"a=ice-pwd:{self._pwd}"
                case "a=fingerprint":
                    line = f"a=fingerprint:sha-256 {self._factory.fingerprint}"
                case "a=setup":
                    line = "a=setup:active"
                case "a=sendonly":
                    line = "a=recvonly"
                case "a=mid":
                    port = self._sock.getsockname()[1]
                    lines.append(f"a=candidate:1 1 udp 2130706431 {ADDRESS} {port} typ host")
                case "a=candidate" | "a=end-of-candidates" | "a=ice-lite" | "a=ssrc":
                    continue
            lines.append(line)
        return "\r\n".join(lines) + "\r\n"
