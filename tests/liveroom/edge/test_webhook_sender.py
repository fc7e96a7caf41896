"""Pages reach real targets signed; slow, dead and inner targets get nothing of ours but a no."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from liveroom.domain.webhooks import Endpoint
from liveroom.edge import webhook_sender
from liveroom.edge.notices import sign
from liveroom.edge.webhook_sender import WebhookSender, is_public
from liveroom.service.hooks import Outcome

AT_MS = 1_800_000_000_000
BODY = b'{"id":"p1"}'


@dataclass
class Receiver:
    """A real HTTP server that answers what it is told, or never."""

    answer: bytes = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    silent: bool = False
    port: int = 0
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    serving: list["asyncio.Task[Any] | None"] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.append(asyncio.current_task())
        try:
            await self.answer_one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.heads.append(f"broken: {type(error).__name__}")  # no HTTP, or it hung up
        finally:
            writer.close()

    async def answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        length = int(head.lower().partition("content-length:")[2].split("\r\n")[0])
        self.bodies.append(await reader.readexactly(length))
        if self.silent:
            await reader.read()
        writer.write(self.answer)
        await writer.drain()


@asynccontextmanager
async def receiver(**options: Any) -> AsyncIterator[Receiver]:
    made = Receiver(**options)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made
        await asyncio.gather(*(task for task in made.serving if task))


async def send(url: str, *, private_allowed: bool = True) -> Outcome:
    sender = WebhookSender(lambda: AT_MS, private_allowed=private_allowed)
    endpoint = Endpoint(
        id="e1",
        tenant="shop",
        url=url,
        secret="a secret of the endpoint",
        kinds=(),
        room=None,
        paused=False,
        failures=0,
        open_until=0,
        created_at=0,
    )
    try:
        return await sender.send(endpoint, id="p1", body=BODY)
    finally:
        await sender.close()


async def test_a_page_arrives_signed() -> None:
    async with receiver() as target:
        outcome = await send(f"http://localhost:{target.port}/hook?x=1")
        assert outcome.arrived
        (head,) = target.heads
        lines = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])
        }
        assert head.startswith("POST /hook?x=1 HTTP/1.1\r\n")
        assert lines["host"] == f"localhost:{target.port}"
        assert lines["liveroom-delivery"] == "p1"
        wanted = sign("a secret of the endpoint", BODY, at=AT_MS // 1000)
        assert lines["liveroom-signature"] == wanted
        assert target.bodies == [BODY]


@pytest.mark.parametrize("status", [301, 302, 400, 404, 410, 500, 503])
async def test_another_status_is_told_and_no_redirect_followed(status: int) -> None:
    answer = f"HTTP/1.1 {status} X\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".encode()
    async with receiver(answer=answer) as target:
        outcome = await send(f"http://127.0.0.1:{target.port}/")
        assert (outcome.arrived, outcome.status) == (False, status)
        assert len(target.heads) == 1


async def test_a_target_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_sender, "STEP_WITHIN_S", 0.2)
    async with receiver(silent=True) as target:
        outcome = await send(f"http://127.0.0.1:{target.port}/")
        assert (outcome.status, outcome.why) == (None, "ReadTimeout")
    monkeypatch.setattr(webhook_sender, "SEND_WITHIN_S", 0.1)
    async with receiver(silent=True) as target:
        outcome = await send(f"http://127.0.0.1:{target.port}/")
        assert (outcome.status, outcome.why) == (None, "no answer within 0.1 s")


async def test_targets_that_are_not_there_or_talk_nonsense(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook_sender, "STEP_WITHIN_S", 0.5)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    assert (await send(f"http://127.0.0.1:{closed}/")).status is None
    async with receiver(answer=b"SSH-2.0-x\r\n\r\n") as target:
        assert (await send(f"http://127.0.0.1:{target.port}/")).status is None
        assert (await send(f"https://127.0.0.1:{target.port}/")).status is None


INSIDE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
    "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "::ffff:10.0.0.1",
    "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_are_known(address: str) -> None:
    assert not is_public(address)


def test_addresses_outside_are_asked() -> None:
    for address in ("1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"):
        assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f000001", "127.1", "0"]
)
async def test_no_spelling_of_an_inner_address_is_asked(host: str) -> None:
    async with receiver() as target:
        outcome = await send(f"https://{host}:{target.port}/", private_allowed=False)
        assert outcome.status is None
        assert target.heads == []
        plain = await send(f"http://{host}:{target.port}/", private_allowed=False)
        assert plain.why == "only https is asked"
        assert target.heads == []


async def test_a_name_that_points_both_ways_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def both(*_args: Any, **_kwargs: Any) -> list[Any]:
        return [(0, 0, 0, "", ("1.1.1.1", 443)), (0, 0, 0, "", ("10.0.0.1", 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    outcome = await send("https://shop.example/", private_allowed=False)
    assert "private" in outcome.why
