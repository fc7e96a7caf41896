"""`python -m bench fanout`: one room, many viewers, texts and gifts at a steady pace.

The server, its viewers and this conductor are processes of their own on loopback. The same
viewers then watch a bare write loop and other servers (`rivals`) send the same bytes as often,
and each message alone, so that figures are ratios of one run. A model fitted at a quarter and a
half of the viewers must predict all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench.machine import describe
from bench.model import Model, fit
from bench.report import Distribution, Report
from bench.rivals import Rival, rivals
from bench.watching import Outcome, watch

VIEWERS_MAX = 10_000
RATE_MAX = 5_000.0
SECONDS_MAX = 120.0
GIFTS_PER_S = 10
ALONE_PER_S = 100
"""Messages a second that everybody is shown, to compare the price of one with the peers'."""
ERROR_MAX = 0.15
SCALE = (1, 2, 4)
"""The model is fitted at the first two and must predict the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many watch, what is offered a second, and for how long."""

    viewers: int
    rate: float
    seconds: float = 5.0
    gifts: int = GIFTS_PER_S
    beside: tuple[str, ...] = ()
    """Which rivals; none named = all that are installed."""


def measure(plan: Plan, console: Console) -> Report:
    """Carry the plan out and report."""
    asked = [rival for rival in rivals() if not plan.beside or rival.name in plan.beside]
    beside = [rival for rival in asked if rival.why_not is None]
    for left_out in (rival for rival in asked if rival.why_not is not None):
        console.print(f"{left_out.name} is left out; to have it: {left_out.why_not}", markup=False)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=None)

        def say(what: str) -> None:
            progress.update(task, description=what)

        scaled: list[Outcome] = []
        for share in SCALE:
            viewers = max(1, plan.viewers * share // SCALE[-1])
            say(f"liveroom, {viewers} viewers")
            scaled.append(watch("liveroom", viewers, _order(plan)))
        say(f"liveroom, {ALONE_PER_S} messages a second")
        shown = watch("liveroom", plan.viewers, _order(plan, every_text=True))
        others = {}
        for rival in beside:
            say(rival.name)
            others[rival.name] = _watch_rival(rival, plan, scaled[-1], shown)
    model = _model(scaled[:2], plan)
    error = model.share(scaled[-1].count) / _share(scaled[-1]) - 1
    for line in (*model.lines(), _check(scaled, error)):
        console.print(line, markup=False)
    return _report(plan, scaled[-1], shown, others, error)


def _watch_rival(rival: Rival, plan: Plan, us: Outcome, shown: Outcome) -> tuple[Outcome, Outcome]:
    """Let one send our frames as often, then each of the shown messages alone."""
    events_a_frame = max(1.0, shown.messages / max(1, shown.viewers["frames"]))
    same = {"rate": us.frames_per_viewer / plan.seconds, "bytes": us.frame_bytes}
    alone = {"rate": ALONE_PER_S, "bytes": int(shown.frame_bytes / events_a_frame)}
    each = {"do": "send", "seconds": plan.seconds}
    first = watch(rival.name, plan.viewers, same | each, rival.command)
    return first, watch(rival.name, plan.viewers, alone | each, rival.command)


def _order(plan: Plan, *, every_text: bool = False) -> dict[str, Any]:
    return {
        "do": "send",
        "rate": ALONE_PER_S if every_text else plan.rate,
        "gifts": 0 if every_text else plan.gifts,
        "seconds": plan.seconds,
        "every_text": every_text,
        "others": not every_text,
    }


def _share(outcome: Outcome) -> float:
    return float(outcome.server["cpu_s"] / outcome.server["took_s"])


def _model(points: list[Outcome], plan: Plan) -> Model:
    first, second = points
    return fit(
        (first.count, _share(first)),
        (second.count, _share(second)),
        frames_per_s=second.frames_per_viewer / plan.seconds,
        frame_bytes=second.frame_bytes,
        kib_per_viewer=second.kib_per_viewer,
    )


def _check(scaled: list[Outcome], error: float) -> str:
    first, second, last = (outcome.count for outcome in scaled)
    verdict = "holds" if abs(error) <= ERROR_MAX else "FAILS"
    return (
        f"  fitted at {first} and {second} viewers it is {error:+.1%} off at {last}:"
        f" {verdict} (at most {ERROR_MAX:.0%})"
    )


def _report(
    plan: Plan,
    us: Outcome,
    shown: Outcome,
    others: Mapping[str, tuple[Outcome, Outcome]],
    model_error: float,
) -> Report:
    figures: dict[str, Any] = {
        "viewers": plan.viewers,
        "texts offered per second": plan.rate,
        "gifts per second": plan.gifts,
        "frames per viewer and second": us.frames_per_viewer / plan.seconds,
        "messages per viewer and second": us.messages / plan.viewers / plan.seconds,
        "average frame, bytes": us.frame_bytes,
        "frames delivered": us.viewers["frames"],
        "messages delivered": int(us.messages),
        "connections lost": us.viewers["lost"],
        "durable events out of order": us.viewers["broken"],
        "viewers with every durable event": us.viewers["complete"],
        "CPU, share of a core": _share(us),
        "CPU per frame, µs": us.frame_us,
        "CPU per message delivered, µs": us.message_us,
        "CPU per message offered, µs": us.offered_us,
        f"at {ALONE_PER_S} messages/s: frames per viewer and second": shown.frames_per_viewer
        / plan.seconds,
        f"at {ALONE_PER_S} messages/s: CPU per frame, µs": shown.frame_us,
        f"at {ALONE_PER_S} messages/s: CPU per message, µs": shown.message_us,
        "loop lag p99.9, ms": us.server["lag_ms"],
        "memory per viewer, KiB": us.kib_per_viewer,
        "joins per second": plan.viewers / us.entered_s,
        "model: predicted against measured, %": model_error * 100,
    }
    for name, (same, alone) in others.items():
        figures |= {
            f"{name}, same frames: CPU per frame, µs": same.frame_us,
            f"{name}, same frames: our CPU per frame against it": us.frame_us / same.frame_us,
            f"{name}, each alone: CPU per message, µs": alone.message_us,
            f"{name}, each alone: its CPU per message against ours": alone.message_us
            / shown.message_us,
            f"{name}: memory per viewer, KiB": same.kib_per_viewer,
        }
    delays = us.viewers["delays_ms"]
    plots = [Distribution(f"liveroom, {kind}", "ms", tuple(delays[kind])) for kind in delays]
    for name, (same, _alone) in others.items():
        seen = tuple(same.viewers["delays_ms"].get("text", ()))
        plots += [Distribution(f"{name}, same frames", "ms", seen)] if seen else []
    failures = {
        "connection lost": us.viewers["lost"],
        "durable event out of order": us.viewers["broken"],
        "viewer without every durable event": us.viewers["incomplete"],
    }
    return Report(
        name="fanout",
        title=f"{plan.viewers} viewers, {plan.rate:g} texts and {plan.gifts} gifts a second",
        facts={**describe(), "sending": f"{plan.seconds:g} s"},
        figures=figures,
        distributions=plots,
        failures={reason: count for reason, count in failures.items() if count},
    )
