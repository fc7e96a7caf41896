"""`python -m bench hostile`: strangers shout at the media port while a room watches.

Everything that somebody without keys can send, from as many sockets as asked for, so many a
second. Out: forward latency, what the viewers got and the server's memory, each beside the same
room in peace just before; and how many of the strangers were answered.
"""

import contextlib
import json
import random
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from rich.console import Console

from bench.crowd import Orders, orders_line
from bench.machine import describe, usage
from bench.media import FORWARD, quantiles, read_samples, started_crowd
from bench.report import Distribution, Report
from bench.server import UnderTest
from sfu.packet import rtcp, rtp
from sfu.packet.stun import write_request

SOURCES_MAX = 5_000
RATE_MAX = 50_000.0
SHARE_S = 0.005
"""The strangers shout so often, all that is due at once."""
POOL = 2_000
"""Different datagrams, made before the time counts."""
ENTER_TIMEOUT_S = 30.0
SETTLE_S = 2.0
SLOWER_MAX = 1.5
GROWTH_BYTES_MAX = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many watch, how many shout, how many datagrams a second, for how long."""

    viewers: int
    sources: int
    rate_per_s: float
    seconds: float
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Spell:
    """What was measured of a stretch of time; milliseconds."""

    forward_ms: tuple[float, ...]
    delivered_per_s: float
    gap_s: float
    resident_bytes: int

    @property
    def p99_ms(self) -> float:
        """The time within which all but one of a hundred batches were forwarded."""
        return self.forward_ms[int(len(self.forward_ms) * 0.99)] if self.forward_ms else 0.0


def measure(test: UnderTest, plan: Plan, console: Console) -> Report:
    """Carry the plan out and report."""
    assert test.pid is not None
    assert test.media is not None
    orders = Orders(test.url, test.room, test.secret, plan.viewers, 20.0, ENTER_TIMEOUT_S)
    with started_crowd() as crowd:
        with console.status(f"{plan.viewers} viewers are coming"):
            entered = crowd.ask(orders_line(orders))
            time.sleep(SETTLE_S)

        def spell() -> Spell:
            before, counted = _forwarded(test), crowd.ask("count")
            time.sleep(plan.seconds)
            after, now = _forwarded(test), crowd.ask("count")
            within = {bound: count - before.get(bound, 0.0) for bound, count in after.items()}
            assert test.pid is not None
            return Spell(
                tuple(seconds * 1e3 for seconds in quantiles(within)),
                (now["packets"] - counted["packets"]) / plan.seconds,
                now["gap_s"],
                usage(test.pid).resident_bytes,
            )

        with console.status("in peace"):
            peace = spell()
        with console.status(f"{plan.sources} strangers, {plan.rate_per_s:,.0f} a second"):
            strangers = subprocess.Popen(
                [
                    *(sys.executable, "-m", "bench.hostile", str(test.media[1])),
                    *(str(plan.sources), str(plan.rate_per_s), str(plan.seconds), str(plan.seed)),
                ],
                stdout=subprocess.PIPE,
                text=True,
            )
            attacked = spell()
            shouted = json.loads(strangers.communicate()[0])
    return _report(plan, entered, peace, attacked, shouted)


def _forwarded(test: UnderTest) -> dict[float, float]:
    found = read_samples(httpx.get(f"{test.url}/metrics", timeout=30, trust_env=False).text)
    return {
        float(name.partition('le="')[2].partition('"')[0]): value
        for name, value in found.items()
        if name.startswith(FORWARD + "{")
    }


def _report(
    plan: Plan,
    entered: dict[str, dict[str, int]],
    peace: Spell,
    attacked: Spell,
    shouted: dict[str, int],
) -> Report:
    failures = dict(entered["failures"])
    slower = attacked.p99_ms / peace.p99_ms if peace.p99_ms else None
    growth = attacked.resident_bytes - peace.resident_bytes
    if slower is not None and slower > SLOWER_MAX:
        failures["viewers waited longer for their packets"] = 1
    if growth > GROWTH_BYTES_MAX:
        failures["memory grew"] = 1
    if shouted["answered"]:
        failures["strangers were answered"] = shouted["answered"]
    return Report(
        name="hostile",
        title=f"{plan.sources} strangers shout at a room of {plan.viewers}",
        facts={**describe(), "measured": f"{plan.seconds:g} s in peace, then as long"},
        figures={
            "datagrams sent by strangers": shouted["sent"],
            "answers to them": shouted["answered"],
            "forward p99 in peace, ms": peace.p99_ms,
            "forward p99 under it, ms": attacked.p99_ms,
            "under it against in peace": slower,
            "delivered a second in peace": peace.delivered_per_s,
            "delivered a second under it": attacked.delivered_per_s,
            "longest gap of a viewer under it, ms": attacked.gap_s * 1e3,
            "memory growth, MB": growth / 1e6,
        },
        distributions=[
            Distribution("in peace", "ms", peace.forward_ms),
            Distribution("under it", "ms", attacked.forward_ms),
        ],
        failures=failures,
        curve="Share of batches forwarded within",
    )


def datagrams(chance: random.Random, count: int) -> list[bytes]:
    """Make what strangers send: every kind, whole, cut and random."""

    def check(user: str) -> bytes:
        return write_request(
            chance.randbytes(12),
            username=user,
            password="x" * 32,
            priority=1,
            use_candidate=True,
            controlling=chance.getrandbits(63),
        )

    def media() -> bytes:
        return rtp.write(
            marker=False,
            payload_type=96,
            sequence=chance.getrandbits(16),
            timestamp=chance.getrandbits(32),
            ssrc=chance.getrandbits(32),
            payload=chance.randbytes(1_000),
        )

    report = rtcp.write_receiver_report(rtcp.ReceiverReport(1))
    kinds = (
        lambda: b"",
        lambda: chance.randbytes(chance.randrange(1, 1_400)),
        lambda: check(f"{chance.randbytes(8).hex()}:peer"),
        lambda: check("user:peer")[: chance.randrange(1, 90)],
        lambda: b"\x00\x01\xff\xff\x21\x12\xa4\x42" + chance.randbytes(12),
        lambda: b"\x16\xfe\xff" + bytes(8) + b"\x00\x30\x01" + chance.randbytes(47),
        lambda: b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28",
        media,
        lambda: report + chance.randbytes(14),
        lambda: bytes((chance.randrange(64, 128),)) + chance.randbytes(40),
    )
    return [kinds[number % len(kinds)]() for number in range(count)]


def _shout(port: int, sources: int, rate_per_s: float, seconds: float, seed: int) -> None:
    chance = random.Random(seed)
    pool = datagrams(chance, POOL)
    heard = selectors.DefaultSelector()
    socks = []
    for _ in range(sources):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        heard.register(sock, selectors.EVENT_READ)
        socks.append(sock)
    began, sent = time.monotonic(), 0
    while (now := time.monotonic()) < began + seconds:
        for _ in range(int((now - began) * rate_per_s) - sent):
            with contextlib.suppress(BlockingIOError):
                socks[sent % sources].sendto(pool[sent % POOL], ("127.0.0.1", port))
            sent += 1
        time.sleep(SHARE_S)
    answered = _answers([key.fileobj for key, _ in heard.select(0.5)])
    print(json.dumps({"sent": sent, "answered": answered}))


def _answers(ready: Sequence[object]) -> int:
    """Count what came; an ICMP error is no answer."""
    found = 0
    for sock in ready:
        assert isinstance(sock, socket.socket)
        try:
            while sock.recv(2_048):
                found += 1
        except OSError:
            continue
    return found


if __name__ == "__main__":
    _port, _sources, _rate, _seconds, _seed = sys.argv[1:]
    _shout(int(_port), int(_sources), float(_rate), float(_seconds), int(_seed))
