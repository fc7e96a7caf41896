"""A WHIP publisher (RFC 9725): sends the given tracks until stopped, then DELETEs.

Flows in: an endpoint, a token, tracks that give frames or encoded packets. It must not know
where the tracks come from.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import httpx
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtpCodecCapability

from liveroom.client.peer import Exchange, open_peer, wait_connected


class WhipPublisher:
    """One publishing session."""

    def __init__(
        self,
        url: str,
        token: str | None,
        tracks: Sequence[MediaStreamTrack],
        *,
        codec: str | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._exchange = Exchange(url, token, http)
        self._tracks = tracks
        self._codec = codec
        self.peer: RTCPeerConnection = open_peer()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def state(self) -> str:
        """The connection state as browsers name it."""
        return str(self.peer.connectionState)

    @property
    def resource_url(self) -> str | None:
        """The session's own address on the server, while there is one."""
        return self._exchange.resource.url if self._exchange.resource else None

    async def start(self) -> None:
        """Offer, connect and start sending; on failure nothing is left behind.

        Raises:
            CommandRefused, PeerLost, httpx.TransportError: see `Exchange.offer`.

        """
        try:
            for track in self._tracks:
                self._add(track)
            await self._exchange.offer(self.peer)
            await wait_connected(self.peer)
        except Exception:
            await self.stop()
            raise

    async def stop(self) -> None:
        """DELETE the session and close the connection."""
        await self._exchange.delete()
        await self.peer.close()

    async def is_alive(self) -> bool:
        """Ask the server whether it still has this session."""
        return await self._exchange.is_alive()

    def _add(self, track: MediaStreamTrack) -> None:
        transceiver = self.peer.addTransceiver(track, direction="sendonly")
        if track.kind == "video" and self._codec is not None:
            transceiver.setCodecPreferences(_only(self._codec))
        request = getattr(track, "request_keyframe", None)
        if request is not None:
            # aiortc keeps a picture loss indication to its own encoder; ours sits in the track.
            setattr(transceiver.sender, "_send_keyframe", request)  # noqa: B010


def _only(codec: str) -> list[RTCRtpCodecCapability]:
    wanted = f"video/{codec}".lower()
    capabilities = RTCRtpSender.getCapabilities("video").codecs
    return [row for row in capabilities if row.mimeType.lower() in (wanted, "video/rtx")]
