"""kill -9 of the server, and a receiver that comes late: the shop's backend gets every event."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from liveroom.edge.notices import sign
from tests.server import environment_for, running
from tests.waiting import wait_until


class Backend(ThreadingHTTPServer):
    """A shop's backend: refuses at first, then verifies and keeps what comes."""

    def __init__(self) -> None:
        self.pages: list[dict[str, Any]] = []
        self.secret = ""
        self.works = False
        self.refused = 0
        super().__init__(("127.0.0.1", 0), Handler)

    def numbers(self) -> set[int]:
        return {event["n"] for page in self.pages for event in page["events"]}


class Handler(BaseHTTPRequestHandler):
    server: Backend

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        given = self.headers["Liveroom-Signature"]
        at = int(given.partition(",")[0].removeprefix("t="))
        if given != sign(self.server.secret, body, at=at):
            self.send_response(400)
        elif not self.server.works:
            self.server.refused += 1
            self.send_response(503)
        else:
            self.server.pages.append(msgspec.json.decode(body))
            self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextmanager
def backend() -> Iterator[Backend]:
    with Backend() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)


@pytest.mark.slow
def test_every_event_reaches_the_backend_over_a_kill(tmp_path: Path) -> None:
    environment = environment_for(tmp_path) | {"LIVEROOM_WEBHOOKS": "private"}
    with ExitStack() as stack:
        receiver = stack.enter_context(backend())
        server = stack.enter_context(running(environment, tmp_path / "server.log"))
        server.room("r1")
        url = f"http://127.0.0.1:{receiver.server_address[1]}/hook"
        made = server.call("POST", "/v1/webhooks", json={"url": url, "kinds": ["notice"]})
        receiver.secret = made["secret"]

        def announce(number: int) -> None:
            server.call(
                "POST",
                "/v1/rooms/r1/events",
                json={"text": f"notice {number}"},
                headers={"Idempotency-Key": f"k{number}"},
            )

        for number in range(1, 4):
            announce(number)
        wait_until(lambda: receiver.refused > 0, seconds=10, what="the backend is asked")
        server.kill()
        server = stack.enter_context(running(environment, tmp_path / "server.log"))
        receiver.works = True
        announce(3)  # the answer was known: no new event
        announce(4)
        wait_until(
            lambda: receiver.numbers() == {1, 2, 3, 4}, seconds=45, what="every event arrived"
        )
        texts = {event["text"] for page in receiver.pages for event in page["events"]}
        assert texts == {f"notice {number}" for number in range(1, 5)}
        state = server.call("GET", f"/v1/webhooks/{made['id']}")
        assert state["dead"] == []
        assert "secret" not in state["webhook"]
