"""`python -m bench nodes`: one room on several nodes over a real Redis.

Everything is published at the first node; viewers are spread over all of them, each node and
each crowd a process of its own. It tells what the way over Redis adds to a delivery, and what
the broker has to do for it: once per room and tick, however many watch and however much is said.
"""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from redis import Redis
from rich.console import Console

from bench.fanout import GIFTS_PER_S
from bench.machine import describe
from bench.report import Distribution, Report
from bench.rivals import ours
from bench.watching import FanoutFailed, Talking, talking, tokens

NODES_MAX = 8
STARTS_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many nodes, how many watch in all, what is offered a second, and for how long."""

    nodes: int
    viewers: int
    rate: float
    seconds: float = 5.0
    gifts: int = GIFTS_PER_S


@dataclass(slots=True)
class _Node:
    server: Talking
    crowd: Talking


def measure(plan: Plan, console: Console) -> Report:
    """Carry the plan out and report."""
    if shutil.which("redis-server") is None:
        raise FanoutFailed("redis-server is not installed: apt-get install redis-server")
    with ExitStack() as stack:
        broker = stack.enter_context(_redis())
        url = f"redis://127.0.0.1:{broker.connection_pool.connection_kwargs['port']}"
        nodes = [_open(stack, url) for _ in range(plan.nodes)]
        console.print(f"{plan.viewers} viewers enter at {plan.nodes} nodes", markup=False)
        for node in nodes:
            _enter(node, plan.viewers // plan.nodes)
        for node in nodes:
            node.crowd.ask("clear")
        before, started = _work_of(broker), time.monotonic()
        quiet = json.dumps({"do": "idle", "seconds": plan.seconds})
        for node in nodes[1:]:
            node.server.tell(quiet)
        first = nodes[0].server.ask(json.dumps(_order(plan)))
        done = [first, *(node.server.listen() for node in nodes[1:])]
        took_s, after = time.monotonic() - started, _work_of(broker)
        seen = [node.crowd.ask("") for node in nodes]
    work = {name: after[name] - before[name] for name in before}
    return _report(plan, done, seen, work, took_s)


def _open(stack: ExitStack, url: str) -> _Node:
    server = stack.enter_context(talking("liveroom", [*ours("liveroom"), url]))
    server.hello = server.listen()
    viewers = [sys.executable, "-m", "bench.viewers"]
    return _Node(server, stack.enter_context(talking("viewers", viewers)))


def _enter(node: _Node, viewers: int) -> None:
    hello = node.server.hello
    signed = tokens(hello["secret"], viewers)
    node.crowd.ask(
        json.dumps({"port": hello["port"], "viewers": viewers, "tokens": signed, "deaf": 0})
    )


def _order(plan: Plan) -> dict[str, Any]:
    return {
        "do": "send",
        "rate": plan.rate,
        "gifts": plan.gifts,
        "seconds": plan.seconds,
        "every_text": False,
        "others": False,
    }


@contextmanager
def _redis() -> Iterator[Redis]:
    """Run a broker that keeps nothing."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="liveroom-bench-redis-") as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        process = subprocess.Popen(
            [*command, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL
        )
        client = Redis(port=port)
        try:
            client.ping()  # its retries wait for the start
            yield client
        finally:
            client.close()
            process.kill()
            process.wait(STARTS_WITHIN_S)


def _work_of(broker: Redis) -> dict[str, float]:
    """Read what the broker has done: publications, its CPU, bytes out."""
    calls: Mapping[str, Any] = broker.info("commandstats")
    spent: Mapping[str, Any] = broker.info("cpu")
    stats: Mapping[str, Any] = broker.info("stats")
    return {
        # A script's own SPUBLISH counts as one, too.
        "publications": float(calls.get("cmdstat_spublish", {}).get("calls", 0)),
        "cpu_s": float(spent["used_cpu_user"]) + float(spent["used_cpu_sys"]),
        "bytes": float(stats["total_net_output_bytes"]),
    }


def _report(
    plan: Plan,
    done: list[dict[str, Any]],
    seen: list[dict[str, Any]],
    work: Mapping[str, float],
    took_s: float,
) -> Report:
    frames, each_has = [each["frames"] for each in seen], plan.viewers // plan.nodes
    here, there = seen[0]["delays_ms"], [each["delays_ms"] for each in seen[1:]]
    plots = [Distribution(f"{kind}, same node", "ms", tuple(here[kind])) for kind in here]
    for kind in here:
        others = tuple(delay for each in there for delay in each.get(kind, ()))
        plots += [Distribution(f"{kind}, other nodes", "ms", others)] if others else []
    medians = {plot.name: float(np.median(plot.values)) for plot in plots if plot.values}
    figures: dict[str, Any] = {
        "nodes": plan.nodes,
        "viewers": plan.viewers,
        "texts offered per second": plan.rate,
        "gifts per second": plan.gifts,
        "frames delivered": sum(frames),
        "frames per viewer and second, at the first node": frames[0] / each_has / plan.seconds,
        "frames per viewer and second, at the last": frames[-1] / each_has / plan.seconds,
        "CPU of the nodes together, per frame, µs": sum(each["cpu_s"] for each in done)
        / max(1, sum(frames))
        * 1e6,
        "CPU of the first node, share of a core": done[0]["cpu_s"] / done[0]["took_s"],
        "CPU of the last node, share of a core": done[-1]["cpu_s"] / done[-1]["took_s"],
        "broker: publications per second": work["publications"] / took_s,
        "broker: publications per message offered": work["publications"]
        / max(1, done[0]["text"] + done[0]["money"]),
        "broker: CPU, share of a core": work["cpu_s"] / took_s,
        "broker: KiB out per second": work["bytes"] / took_s / 1024,
    }
    for kind in here:
        if f"{kind}, other nodes" in medians:
            added = medians[f"{kind}, other nodes"] - medians[f"{kind}, same node"]
            figures[f"{kind}: the way over the broker adds, median, ms"] = added
    failures = {
        "connection lost": sum(each["lost"] for each in seen),
        "durable event out of order": sum(each["broken"] for each in seen),
        "viewer without every durable event": sum(each["incomplete"] for each in seen),
    }
    return Report(
        name="nodes",
        title=f"{plan.viewers} viewers on {plan.nodes} nodes, {plan.rate:g} texts and "
        f"{plan.gifts} gifts a second",
        facts={**describe(), "sending": f"{plan.seconds:g} s"},
        figures=figures,
        distributions=plots,
        failures={reason: count for reason, count in failures.items() if count},
    )
