"""Viewers of one server: both are processes of their own, told what to do by lines of JSON.

A server says its port, takes an order, and answers with what it spent; `bench.viewers` watches
it and says what it saw.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import jwt

from bench.machine import usage
from bench.rivals import ours

TOKENS_EXPIRE_AT = 4_102_444_800
STOP_WITHIN_S = 10.0


class FanoutFailed(Exception):  # noqa: N818 - said to the person who measures
    """A process of the measurement ended or answered nonsense."""


@dataclass(slots=True)
class Outcome:
    """What one server did and its viewers saw."""

    server: Mapping[str, Any]
    viewers: Mapping[str, Any]
    entered_s: float
    entering_cpu_s: float
    kib_per_viewer: float
    count: int
    grown_kib: float = 0.0
    """What the process took on while it sent."""

    @property
    def frames_per_viewer(self) -> float:
        """Frames that each got."""
        frames: int = self.viewers["frames"]
        return frames / self.count

    @property
    def frame_us(self) -> float:
        """CPU for each frame that was sent."""
        return float(self.server["cpu_s"] / max(1, self.server["frames"]) * 1e6)

    @property
    def messages(self) -> float:
        """Messages that reached anybody, told from the sample."""
        seen = self.viewers
        return float(seen["sampled_messages"] / max(1, seen["sampled_frames"]) * seen["frames"])

    @property
    def message_us(self) -> float:
        """CPU for each message that reached somebody."""
        return float(self.server["cpu_s"] / max(1.0, self.messages) * 1e6)

    @property
    def offered_us(self) -> float:
        """CPU for each message and viewer that was asked for, shown or left out."""
        offered = (self.server["text"] + self.server["money"]) * self.count
        return float(self.server["cpu_s"] / max(1, offered) * 1e6)

    @property
    def frame_bytes(self) -> int:
        """The average payload."""
        return int(self.viewers["bytes"] / max(1, self.viewers["frames"]))


@dataclass(slots=True)
class Talking:
    """A process that answers each line with a line."""

    process: subprocess.Popen[str]
    name: str
    hello: dict[str, Any] = field(default_factory=dict)

    def listen(self) -> dict[str, Any]:
        """Read one answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            raise FanoutFailed(f"{self.name} ended: {line.strip() or 'no answer'}") from None
        return answer

    def ask(self, text: str) -> dict[str, Any]:
        """Say a line and wait for the answer."""
        self.tell(text)
        return self.listen()

    def tell(self, text: str) -> Self:
        """Say a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self


@contextmanager
def talking(name: str, command: Sequence[str]) -> Iterator[Talking]:
    """Run a process for the time of the context; it ends when its stdin does."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        yield Talking(process, name)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.kill()
        process.wait(STOP_WITHIN_S)
        process.stdin.close()
        process.stdout.close()


def tokens(secret: str, count: int) -> list[str]:
    """Sign a token for each viewer."""
    claims = {"room": "bench", "role": "viewer", "exp": TOKENS_EXPIRE_AT}
    return [
        jwt.encode(claims | {"sub": f"bench-{number}"}, secret, algorithm="HS256")
        for number in range(count)
    ]


def watch(
    name: str,
    viewers: int,
    order: Mapping[str, Any],
    command: Sequence[str] | None = None,
    *,
    deaf: int = 0,
) -> Outcome:
    """Let viewers watch one server carry out one order; the last `deaf` of them never read."""
    with (
        talking(name, command or ours(name)) as server,
        talking("viewers", [sys.executable, "-m", "bench.viewers"]) as crowd,
    ):
        server.hello = server.listen()
        secret = server.hello["secret"]
        pid = server.hello.get("pid", server.process.pid)
        empty = usage(pid)
        signed = tokens(secret, viewers) if secret else []
        entered = crowd.ask(
            json.dumps(
                {"port": server.hello["port"], "viewers": viewers, "tokens": signed, "deaf": deaf}
            )
        )
        full = usage(pid)
        crowd.ask("clear")
        done = server.ask(json.dumps(order))
        last = usage(pid)
        seen = crowd.ask("")
    return Outcome(
        server=done,
        viewers=seen,
        entered_s=entered["took_s"],
        entering_cpu_s=full.cpu_s - empty.cpu_s,
        kib_per_viewer=(full.resident_bytes - empty.resident_bytes) / viewers / 1024,
        count=viewers,
        grown_kib=(last.resident_bytes - full.resident_bytes) / 1024,
    )
