"""A small HTTP shell around `sfu.app.Media`, run as a program by the tests of real peers.

Prints one JSON line with its ports, then one with what the media server counted for each line
on stdin, and ends when stdin does. A bearer token is "role:user"; `/page` is an empty page for
a browser. HTTP/1.1, one request per connection.
"""

import argparse
import asyncio
import dataclasses
import json
import re
import sys
from typing import Any

from sfu.app import Media, MediaEvent, Reply
from sfu.config import IceServer, MediaConfig

ROUTE = re.compile(r"/(whip|whep)/([\w-]+)(?:/([\w-]+))?")
BODY_BYTES_MAX = 1 << 20


class Shell:
    """Answers requests from one `Media`."""

    def __init__(self, config: MediaConfig) -> None:
        self.events: list[dict[str, Any]] = []
        self.steps: list[tuple[str, float]] = []
        self.open_ids: dict[str, str] = {}
        self.media = Media(
            config,
            on_event=self._on_event,
            on_join_step=lambda step, seconds: self.steps.append((step, seconds)),
        )

    def _on_event(self, event: MediaEvent) -> None:
        self.events.append(dataclasses.asdict(event) | {"detail": dict(event.detail)})
        if event.kind == "session_opened":
            self.open_ids[event.session] = event.user

    def stats(self) -> dict[str, Any]:
        sessions = {}
        for session, user in self.open_ids.items():
            numbers = self.media.session_stats(session)
            if numbers is not None:
                sessions[session] = dataclasses.asdict(numbers) | {"user": user}
        return dataclasses.asdict(self.media.stats()) | {
            "events": self.events,
            "steps": self.steps,
            "sessions_by_id": sessions,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            method, target, _ = first.split(" ", 2)
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines if line)
            }
            length = min(int(headers.get("content-length", "0")), BODY_BYTES_MAX)
            body = await reader.readexactly(length)
            if headers.get("transfer-encoding") == "chunked":
                body = await _chunks(reader)
            peer = writer.get_extra_info("peername")[0]
            reply = await self._route(method, target.split("?")[0], headers, body, peer)
            _write(writer, reply)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _route(
        self, method: str, path: str, headers: dict[str, str], body: bytes, peer: str
    ) -> Reply:
        if path == "/page":
            return Reply(200, {"Content-Type": "text/html"}, b"<!doctype html><title>t</title>")
        found = ROUTE.fullmatch(path)
        if found is None:
            return Reply(404)
        kind, room, session = found.groups()
        role, _, user = headers.get("authorization", "").removeprefix("Bearer ").partition(":")
        if method != "OPTIONS" and not user:
            return Reply(401)
        handle = self.media.whip if kind == "whip" else self.media.whep
        return await handle(
            method=method,
            room=room,
            user=user,
            role=role,
            session=session,
            headers=headers,
            body=body,
            base_path=f"/{kind}/{room}",
            address=peer,
        )


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readline()).strip() or b"0", 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)


def _write(writer: asyncio.StreamWriter, reply: Reply) -> None:
    headers = {"Content-Length": str(len(reply.body))} | reply.headers | {"Connection": "close"}
    if reply.status == 204:
        headers.pop("Content-Length", None)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {reply.status} X\r\n{head}\r\n".encode("latin-1") + reply.body)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    arguments = parser.parse_args()
    shell = Shell(
        MediaConfig(host=arguments.host, ice_servers=(IceServer("stun:stun.invalid:3478"),))
    )
    await shell.media.start()
    server = await asyncio.start_server(shell.serve, arguments.host, 0)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"http": port, "media": shell.media.port}), flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(shell.stats()), flush=True)
    server.close()
    await shell.media.close()


if __name__ == "__main__":
    asyncio.run(main())
