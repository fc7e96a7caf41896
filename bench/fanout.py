"""`python -m bench fanout`: one room, many viewers, texts and gifts at a steady pace.

The server, its viewers and this conductor are processes of their own on loopback. The same
viewers then watch a bare write loop, `websockets.broadcast` and a Node server send the same
bytes as often, and each message alone, so that figures are ratios of one run.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any, Self

import jwt
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench.machine import describe, usage
from bench.report import Distribution, Report

VIEWERS_MAX = 10_000
RATE_MAX = 5_000.0
SECONDS_MAX = 120.0
GIFTS_PER_S = 10
TOKENS_EXPIRE_AT = 4_102_444_800
WEB = Path(__file__).parent.parent / "liveroom" / "web"
PEER = Path(__file__).with_name("fanout_peer.mjs")
STOP_WITHIN_S = 10.0


class FanoutFailed(Exception):  # noqa: N818 - said to the person who measures
    """A process of the measurement ended or answered nonsense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many watch, what is offered a second, and for how long."""

    viewers: int
    rate: float
    seconds: float = 5.0
    gifts: int = GIFTS_PER_S
    every_text: bool = False


@dataclass(slots=True)
class Outcome:
    """What one server did and its viewers saw."""

    server: Mapping[str, Any]
    viewers: Mapping[str, Any]
    entered_s: float
    entering_cpu_s: float
    kib_per_viewer: float
    count: int

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
def talking(name: str, command: list[str]) -> Iterator[Talking]:
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


def server_command(kind: str) -> list[str]:
    """Give the command of a server."""
    if kind == "node":
        return [str(which("node")), str(PEER), str(WEB / "package.json")]
    return [sys.executable, "-m", "bench.fanout_server", kind]


def has_node() -> bool:
    """Whether the Node peer can run here."""
    return which("node") is not None and (WEB / "node_modules" / "ws").is_dir()


def tokens(secret: str, count: int) -> list[str]:
    """Sign a token for each viewer."""
    claims = {"room": "bench", "role": "viewer", "exp": TOKENS_EXPIRE_AT}
    return [
        jwt.encode(claims | {"sub": f"bench-{number}"}, secret, algorithm="HS256")
        for number in range(count)
    ]


def watch(kind: str, viewers: int, order: Mapping[str, Any]) -> Outcome:
    """Let viewers watch one server carry out one order."""
    with (
        talking(kind, server_command(kind)) as server,
        talking("viewers", [sys.executable, "-m", "bench.viewers"]) as crowd,
    ):
        server.hello = server.listen()
        secret = server.hello["secret"]
        empty = usage(server.process.pid)
        signed = tokens(secret, viewers) if secret else []
        entered = crowd.ask(
            json.dumps({"port": server.hello["port"], "viewers": viewers, "tokens": signed})
        )
        full = usage(server.process.pid)
        crowd.ask("clear")
        done = server.ask(json.dumps(order))
        seen = crowd.ask("")
    return Outcome(
        server=done,
        viewers=seen,
        entered_s=entered["took_s"],
        entering_cpu_s=full.cpu_s - empty.cpu_s,
        kib_per_viewer=(full.resident_bytes - empty.resident_bytes) / viewers / 1024,
        count=viewers,
    )


def measure(plan: Plan, console: Console) -> Report:
    """Carry the plan out and report."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("liveroom", total=None)
        ours = watch("liveroom", plan.viewers, _order(plan))
        per_s = ours.frames_per_viewer / plan.seconds
        same = {"rate": per_s, "bytes": ours.frame_bytes, "seconds": plan.seconds, "do": "send"}
        events_a_frame = max(1.0, ours.messages / max(1, ours.viewers["frames"]))
        alone = same | {"rate": plan.rate, "bytes": int(ours.frame_bytes / events_a_frame)}
        peers = [name for name in ("bare", "broadcast", "node") if name != "node" or has_node()]
        if "node" not in peers:
            console.print("No Node or no ws in liveroom/web/node_modules: its peer is left out.")
        others: dict[str, Outcome] = {}
        for name in peers:
            progress.update(task, description=f"{name}, the same frames")
            others[f"{name}, same frames"] = watch(name, plan.viewers, same)
            progress.update(task, description=f"{name}, each message alone")
            others[f"{name}, each alone"] = watch(name, plan.viewers, alone)
    return _report(plan, ours, others)


def _order(plan: Plan) -> dict[str, Any]:
    return {
        "do": "send",
        "rate": plan.rate,
        "gifts": plan.gifts,
        "seconds": plan.seconds,
        "every_text": plan.every_text,
    }


def _report(plan: Plan, ours: Outcome, others: Mapping[str, Outcome]) -> Report:
    figures: dict[str, Any] = {
        "viewers": plan.viewers,
        "texts offered per second": plan.rate,
        "gifts per second": plan.gifts,
        "frames per viewer and second": ours.frames_per_viewer / plan.seconds,
        "messages per viewer and second": ours.messages / plan.viewers / plan.seconds,
        "average frame, bytes": ours.frame_bytes,
        "frames delivered": ours.viewers["frames"],
        "messages delivered": int(ours.messages),
        "connections lost": ours.viewers["lost"],
        "CPU, share of a core": ours.server["cpu_s"] / ours.server["took_s"],
        "CPU per frame, µs": ours.frame_us,
        "CPU per message delivered, µs": ours.message_us,
        "CPU per message offered, µs": ours.offered_us,
        "loop lag p99.9, ms": ours.server["lag_ms"],
        "memory per viewer, KiB": ours.kib_per_viewer,
        "joins per second": plan.viewers / ours.entered_s,
    }
    for name, other in others.items():
        figures |= {
            f"{name}: CPU per frame, µs": other.frame_us,
            f"{name}: CPU per message, µs": other.message_us,
            f"{name}: memory per viewer, KiB": other.kib_per_viewer,
        }
        if name.endswith("same frames"):
            figures[f"{name}: our CPU per frame against it"] = ours.frame_us / other.frame_us
        else:
            figures[f"{name}: its CPU per message against ours"] = (
                other.message_us / ours.message_us
            )
    delays = ours.viewers["delays_ms"]
    plots = [Distribution(f"liveroom, {kind}", "ms", tuple(delays[kind])) for kind in delays]
    plots += [
        Distribution(name, "ms", tuple(other.viewers["delays_ms"].get("text", ())))
        for name, other in others.items()
    ]
    return Report(
        name="fanout",
        title=f"{plan.viewers} viewers, {plan.rate:g} texts and {plan.gifts} gifts a second",
        facts={**describe(), "sending": f"{plan.seconds:g} s", "sampling": _sampling(plan)},
        figures=figures,
        distributions=plots,
        failures={"connection lost": lost} if (lost := ours.viewers["lost"]) else {},
    )


def _sampling(plan: Plan) -> str:
    return "every text is shown" if plan.every_text else "texts as viewers are shown them"
