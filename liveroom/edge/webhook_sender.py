"""Posts signed pages to webhook targets, and only to addresses that may be asked.

A host name is looked up here and the connection made to the address that was checked, so that
a name cannot lead inside (SSRF, DNS rebinding). Redirects are not followed, proxies of the
environment not used, answers not read.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import httpx

from liveroom.domain.webhooks import Endpoint
from liveroom.edge.notices import SIGNATURE_HEADER, sign
from liveroom.service.hooks import Outcome

SEND_WITHIN_S: Final = 10.0
"""Look-up, connection, request and status line together."""
STEP_WITHIN_S: Final = 2.0
"""TCP, TLS, writing and reading each; so that it is the library that gives up and closes."""
ID_HEADER: Final = "Liveroom-Delivery"
USER_AGENT: Final = "liveroom-webhooks"


class ForbiddenTargetError(Exception):
    """The target's address is not one that may be asked."""


def is_public(address: str) -> bool:
    """Whether an address is out in the internet: nobody's inside, nobody's loopback."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    if mapped is not None:
        return is_public(str(mapped))
    if isinstance(ip, ipaddress.IPv6Address) and ip in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


class WebhookSender:
    """Sends pages over HTTP.

    Args:
        now_ms: UTC milliseconds, for the signature.
        private_allowed: also http and addresses inside; for tests and closed networks.

    """

    def __init__(self, now_ms: Callable[[], int], *, private_allowed: bool) -> None:
        self._now_ms = now_ms
        self._private_allowed = private_allowed
        self._http = httpx.AsyncClient(
            timeout=STEP_WITHIN_S,
            follow_redirects=False,
            trust_env=False,
            # A kept connection was verified for one name and would serve others at its address.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def send(self, endpoint: Endpoint, *, id: str, body: bytes) -> Outcome:
        """Post a signed body; what a target does wrong is told, not raised."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            ID_HEADER: id,
            SIGNATURE_HEADER: sign(endpoint.secret, body, at=self._now_ms() // 1000),
        }
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                return await self._post(endpoint.url, headers, body)
        except TimeoutError:
            return Outcome(None, f"no answer within {SEND_WITHIN_S:g} s")
        except ForbiddenTargetError as error:
            return Outcome(None, str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return Outcome(None, str(error) or type(error).__name__)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> Outcome:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme != "https" and not self._private_allowed:
            raise ForbiddenTargetError("only https is asked")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = await self._checked(host, port)
        shown = f"[{address}]" if ":" in address else address
        target = parts._replace(netloc=f"{shown}:{port}").geturl()
        request = self._http.build_request(
            "POST",
            target,
            content=body,
            headers={**headers, "Host": parts.netloc},
            extensions={"sni_hostname": host},
        )
        reply = await self._http.send(request, stream=True)
        await reply.aclose()
        return Outcome(reply.status_code)

    async def _checked(self, host: str, port: int) -> str:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        if not addresses:
            raise ForbiddenTargetError("the host has no address")
        if self._private_allowed:
            return addresses[0]
        # One address inside spoils all: a name that points both ways is not to be trusted.
        if not all(is_public(address) for address in addresses):
            raise ForbiddenTargetError("the host's address is private, loopback or reserved")
        return addresses[0]
