"""Peer connections for our own clients, on top of aiortc, told what a server of ours needs.

aiortc's defaults ask a public STUN server, see no loopback interface and cut payloads of
1,300 bytes; a client of an ICE-lite server needs no STUN server, a machine without a network
still runs the demo, and packets must leave room for what every viewer's header adds.
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import urljoin

import aioice.ice
import httpx
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import h264, vpx
from aiortc.rtcconfiguration import RTCBundlePolicy

from liveroom.client.visit import refusal_of

PAYLOAD_BYTES_MAX = 1_160
"""What fits into 1,200 bytes beside RTP header extensions and the SRTP tag (design 2.4)."""
CONNECT_TIMEOUT_S = 15.0
HTTP_TIMEOUT_S = 10.0
DELETE_TIMEOUT_S = 3.0
LOOPBACK = "127.0.0.1"

_gather_addresses = aioice.ice.get_host_addresses


def _host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    return list(_gather_addresses(use_ipv4=use_ipv4, use_ipv6=use_ipv6)) or [LOOPBACK]


class PeerLost(Exception):  # noqa: N818 - it says how the session ended
    """The media connection could not be made or has ended."""


def open_peer() -> RTCPeerConnection:
    """Make a peer connection that asks nobody but the server it is for."""
    aioice.ice.get_host_addresses = _host_addresses
    h264.PACKET_MAX = PAYLOAD_BYTES_MAX
    vpx.PACKET_MAX = PAYLOAD_BYTES_MAX
    # aiortc under max-bundle takes the last m-line's candidates, and an answer names them once.
    return RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.BALANCED))


@dataclass(frozen=True, slots=True)
class Resource:
    """A WHIP or WHEP session on the server: its address and its entity tag."""

    url: str
    etag: str | None


class Exchange:
    """The HTTP side that WHIP (RFC 9725) and WHEP share: POST an offer, later DELETE."""

    def __init__(self, url: str, token: str | None, http: httpx.AsyncClient | None = None) -> None:
        self._url = url
        self._token = token
        self._owned = http is None
        self._http = http or httpx.AsyncClient(timeout=HTTP_TIMEOUT_S, follow_redirects=True)
        self.resource: Resource | None = None

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    async def offer(self, peer: RTCPeerConnection) -> None:
        """Send the peer's offer and apply the answer.

        Raises:
            CommandRefused: the server said no, with its code.
            PeerLost: the answer is not one.
            httpx.TransportError: the server is not there.

        """
        await peer.setLocalDescription(await peer.createOffer())
        reply = await self._http.post(
            self._url,
            content=peer.localDescription.sdp,
            headers={"Content-Type": "application/sdp", **self._headers},
        )
        if reply.status_code >= 400:
            raise refusal_of(reply)
        location = reply.headers.get("Location")
        if reply.status_code != 201 or not location:
            raise PeerLost(f"expected 201 with a Location, got {reply.status_code}")
        self.resource = Resource(urljoin(str(reply.url), location), reply.headers.get("ETag"))
        try:
            await peer.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
        except ValueError as error:
            raise PeerLost(f"the answer cannot be used: {error}") from error

    async def is_alive(self) -> bool:
        """Ask whether the server still knows the session (RFC 9725 4.1: GET answers 2xx)."""
        if self.resource is None:
            return False
        reply = await self._http.get(self.resource.url, headers=self._headers)
        return reply.status_code not in (404, 410)

    async def delete(self) -> None:
        """End the session on the server; a server that is gone has ended it already."""
        resource, self.resource = self.resource, None
        try:
            if resource is not None:
                await self._http.delete(
                    resource.url, headers=self._headers, timeout=DELETE_TIMEOUT_S
                )
        except httpx.TransportError:
            return
        finally:
            if self._owned:
                await self._http.aclose()


async def wait_connected(peer: RTCPeerConnection, *, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
    """Wait until ICE and DTLS are done.

    Raises:
        PeerLost: it failed, or took longer than the timeout.

    """
    changed = asyncio.Event()
    peer.on("connectionstatechange", lambda: changed.set())
    try:
        async with asyncio.timeout(timeout_s):
            while peer.connectionState != "connected":
                if peer.connectionState in ("failed", "closed"):
                    raise PeerLost(f"the connection {peer.connectionState}")
                changed.clear()
                await changed.wait()
    except TimeoutError as error:
        raise PeerLost(f"no connection within {timeout_s:.0f} s") from error
