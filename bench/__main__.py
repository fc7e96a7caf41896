"""`python -m bench NAME`: run one measurement, show its table, write JSON and HTML."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console

from bench import accept as accepts
from bench import closed_net, janus
from bench import fanout as fanouts
from bench import flash as flashes
from bench import gifts as gift_run
from bench import hostile as hostiles
from bench import idle as idles
from bench import loss as losses
from bench import media as media_run
from bench import nodes as nodes_run
from bench import overload as overloads
from bench import picture as pictures
from bench.join import RATE_MAX, VIEWERS_MAX, Plan, measure
from bench.report import Report
from bench.rivals import rivals
from bench.server import ServerFailed, UnderTest, own_server
from bench.watching import FanoutFailed
from liveroom.store.port import StoreUnusableError

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


@app.callback()
def choose() -> None:
    """Measure liveroom; each command is one measurement."""


@app.command()
def join(
    viewers: Annotated[int, typer.Option(min=1, max=VIEWERS_MAX, help="How many come.")] = 50,
    rate: Annotated[float, typer.Option(min=0.1, max=RATE_MAX, help="How many a second.")] = 10,
    hold: Annotated[float, typer.Option(min=0.0, max=600, help="How long they stay, s.")] = 5,
    sample: Annotated[int, typer.Option(min=0, help="Every n-th decodes its first frame.")] = 10,
    timeout: Annotated[float, typer.Option(min=1, max=120, help="For one viewer's way, s.")] = 10,
    websocket: Annotated[bool, typer.Option(help="Also open the websocket.")] = True,
    into: Annotated[
        int, typer.Option(min=0, max=VIEWERS_MAX, help="Viewers already in the room.")
    ] = 0,
    url: Annotated[
        str | None, typer.Option(help="A running server; without it one is started here.")
    ] = None,
    room: Annotated[str, typer.Option(help="The room, with --url.")] = "demo",
    token_secret: Annotated[
        str | None, typer.Option(envvar="LIVEROOM_SECRET", help="Signs viewers' tokens.")
    ] = None,
    pid: Annotated[
        int | None, typer.Option(help="The server's process, to read its CPU, with --url.")
    ] = None,
    source: Annotated[str, typer.Option(help="What the own server's host publishes.")] = "test:",
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots here.")] = None,
) -> None:
    """Let viewers join the whole way: HTTP, ICE, DTLS, first packet, first frame, welcome."""
    console = Console()
    plan = Plan(
        viewers=viewers,
        rate_per_s=rate,
        hold_s=hold,
        sample_every=sample,
        timeout_s=timeout,
        websocket=websocket,
        into=into,
    )
    if url is not None and not urlsplit(url).hostname:
        raise typer.BadParameter("write it like http://127.0.0.1:8080", param_hint="--url")
    given = UnderTest(url.rstrip("/"), room, token_secret, pid) if url else None
    try:
        with nullcontext(given) if given else own_server(source) as test:
            report = asyncio.run(measure(test, plan, console))
    except ServerFailed as failed:
        console.print(str(failed), markup=False)
        raise typer.Exit(1) from failed
    report.show(console)
    report.save(json, html)
    if report.failures:
        raise typer.Exit(1)


@app.command()
def media(
    viewers: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            max=media_run.VIEWERS_MAX,
            help="How many; several times for a curve.",
            show_default="50",
        ),
    ] = None,
    pps: Annotated[
        float, typer.Option(min=60, max=media_run.PPS_MAX, help="What the host sends a second.")
    ] = 345,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long to measure.")] = 10,
    rate: Annotated[float, typer.Option(min=0.1, max=RATE_MAX, help="Joins a second.")] = 20,
    source: Annotated[
        str | None, typer.Option(help="A file or test: to publish, instead of plain packets.")
    ] = None,
    fanout: Annotated[str, typer.Option(help="best, or python for the reference.")] = "best",
    peer: Annotated[
        str | None,
        typer.Option(help="janus: measure Debian's in the same run, in a namespace of its own."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots here.")] = None,
) -> None:
    """Measure the server's CPU per delivered packet beside loops that only send."""
    if fanout not in ("best", "python"):
        raise typer.BadParameter("best or python", param_hint="--fanout")
    console = Console()
    if peer is not None:
        obstacle = janus.obstacle() or closed_net.obstacle()
        if peer != "janus" or obstacle is not None:
            raise typer.BadParameter(obstacle or "only janus", param_hint="--peer")
        closed_net.enter()
    plan = media_run.Plan(
        viewers=viewers or [50],
        rate_per_s=rate,
        seconds=seconds,
        janus_pps=None if peer is None else pps,
    )
    publisher = {"pps": pps} if source is None else {}
    facts = {"host": source or f"{pps:g} packets a second", "fan-out": fanout}
    try:
        with own_server(source or "test:", extra={"SFU_FANOUT": fanout}, **publisher) as test:
            report = media_run.measure(test, plan, console, facts)
    except ServerFailed as failed:
        console.print(str(failed), markup=False)
        raise typer.Exit(1) from failed
    report.show(console)
    report.save(json, html)
    if report.failures:
        raise typer.Exit(1)


@app.command()
def loss(
    loss: Annotated[
        list[float] | None,
        typer.Option(
            min=0, max=50, help="Per cent lost each way; several times.", show_default="5, 10, 20"
        ),
    ] = None,
    viewers: Annotated[int, typer.Option(min=1, max=losses.VIEWERS_MAX, help="How many.")] = 10,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="For how long, each.")] = 20,
    pps: Annotated[
        float, typer.Option(min=60, max=media_run.PPS_MAX, help="What the host sends a second.")
    ] = 345,
    seed: Annotated[int, typer.Option(help="Decides what is lost.")] = 1,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots here.")] = None,
) -> None:
    """Let viewers watch over bad paths, and count what they have in time."""
    plan = losses.Plan(
        losses=[each / 100 for each in loss or (5, 10, 20)],
        viewers=viewers,
        seconds=seconds,
        seed=seed,
    )

    def run(console: Console) -> Report:
        with own_server(None, pps=pps) as test:
            return asyncio.run(losses.measure(test, plan, console))

    _finish(run, json, html)


@app.command()
def picture(
    height: Annotated[int, typer.Option(min=90, max=1080, help="Of the camera.")] = 1080,
    fps: Annotated[int, typer.Option(min=5, max=60, help="Of the camera.")] = 30,
    bitrate: Annotated[float, typer.Option(min=0.1, max=20, help="At most, Mbit/s.")] = 4,
    codec: Annotated[str, typer.Option(help="VP8, H264, VP9 or AV1.")] = "VP8",
    loss: Annotated[float, typer.Option(min=0, max=50, help="Per cent lost each way.")] = 2,
    seconds: Annotated[float, typer.Option(min=2, max=600, help="For how long.")] = 60,
    seed: Annotated[int, typer.Option(help="Decides what is lost.")] = 1,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots here.")] = None,
) -> None:
    """Let a browser watch a browser over a lossy path: height, freezes, repairs."""
    plan = pictures.Plan(
        height=height,
        fps=fps,
        bitrate_bps=round(bitrate * 1e6),
        codec=f"video/{codec}",
        loss=loss / 100,
        seconds=seconds,
        seed=seed,
    )

    def run(console: Console) -> Report:
        # The room's cap is for all that a host sends, sound and repairs included.
        with own_server(None) as test:
            return asyncio.run(pictures.measure(test, plan, console))

    _finish(run, json, html)


@app.command()
def idle(
    viewers: Annotated[
        int, typer.Option(min=1, max=idles.VIEWERS_MAX, help="How many are connected.")
    ] = 1_000,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="For how long.")] = 20,
    rate: Annotated[float, typer.Option(min=0.1, max=RATE_MAX, help="Joins a second.")] = 50,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots here.")] = None,
) -> None:
    """Measure what connected viewers cost while nobody publishes."""
    plan = idles.Plan(viewers=viewers, rate_per_s=rate, seconds=seconds)

    def run(console: Console) -> Report:
        with own_server(None) as test:
            return idles.measure(test, plan, console)

    _finish(run, json, html)


@app.command()
def flash(
    viewers: Annotated[
        int, typer.Option(min=1, max=flashes.VIEWERS_MAX, help="How many come.")
    ] = 1_000,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Within which time.")] = 10,
    early: Annotated[
        int, typer.Option(min=1, max=flashes.VIEWERS_MAX, help="How many are in before.")
    ] = 50,
    pps: Annotated[
        float, typer.Option(min=60, max=media_run.PPS_MAX, help="What the host sends a second.")
    ] = 115,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots here.")] = None,
) -> None:
    """Let a crowd come at once, and see that those who are in miss nothing."""
    plan = flashes.Plan(early=early, viewers=viewers, seconds=seconds)

    def run(console: Console) -> Report:
        with own_server(None, pps=pps) as test:
            return flashes.measure(test, plan, console)

    _finish(run, json, html)


@app.command()
def hostile(
    viewers: Annotated[
        int, typer.Option(min=1, max=media_run.VIEWERS_MAX, help="How many watch.")
    ] = 50,
    sources: Annotated[
        int, typer.Option(min=1, max=hostiles.SOURCES_MAX, help="How many strangers.")
    ] = 1_000,
    rate: Annotated[
        float, typer.Option(min=1, max=hostiles.RATE_MAX, help="Their datagrams a second.")
    ] = 20_000,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="For how long, each.")] = 5,
    pps: Annotated[
        float, typer.Option(min=60, max=media_run.PPS_MAX, help="What the host sends a second.")
    ] = 345,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots here.")] = None,
) -> None:
    """Let strangers shout at the media port, and see what the room notices of it."""
    plan = hostiles.Plan(viewers=viewers, sources=sources, rate_per_s=rate, seconds=seconds)

    def run(console: Console) -> Report:
        with own_server(None, pps=pps) as test:
            return hostiles.measure(test, plan, console)

    _finish(run, json, html)


@app.command()
def fanout(
    viewers: Annotated[
        int, typer.Option(min=4, max=fanouts.VIEWERS_MAX, help="How many watch.")
    ] = 1_000,
    rate: Annotated[
        float, typer.Option(min=0.1, max=fanouts.RATE_MAX, help="Texts offered a second.")
    ] = 200,
    seconds: Annotated[
        float, typer.Option(min=1, max=fanouts.SECONDS_MAX, help="For how long, each server.")
    ] = 5,
    gifts: Annotated[int, typer.Option(min=0, max=100, help="Gifts a second.")] = 10,
    beside: Annotated[
        list[str] | None, typer.Option(help="Beside which servers; all that are installed.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots here.")] = None,
) -> None:
    """Fan texts and gifts out to one room, beside a bare write loop and other servers."""
    known = {rival.name for rival in rivals()}
    if unknown := set(beside or ()) - known:
        raise typer.BadParameter(f"{unknown.pop()} is none of {', '.join(sorted(known))}")
    plan = fanouts.Plan(
        viewers=viewers, rate=rate, seconds=seconds, gifts=gifts, beside=tuple(beside or ())
    )
    _finish(lambda console: fanouts.measure(plan, console), json, html)


@app.command()
def nodes(
    nodes: Annotated[int, typer.Option(min=1, max=nodes_run.NODES_MAX, help="How many.")] = 3,
    viewers: Annotated[
        int, typer.Option(min=8, max=fanouts.VIEWERS_MAX, help="How many watch, on all.")
    ] = 600,
    rate: Annotated[
        float, typer.Option(min=0.1, max=fanouts.RATE_MAX, help="Texts offered a second.")
    ] = 200,
    seconds: Annotated[
        float, typer.Option(min=1, max=fanouts.SECONDS_MAX, help="For how long.")
    ] = 5,
    gifts: Annotated[int, typer.Option(min=0, max=100, help="Gifts a second.")] = 10,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots here.")] = None,
) -> None:
    """Fan out to one room on several nodes over a real Redis."""
    plan = nodes_run.Plan(nodes=nodes, viewers=viewers, rate=rate, seconds=seconds, gifts=gifts)
    _finish(lambda console: nodes_run.measure(plan, console), json, html)


@app.command()
def overload(
    viewers: Annotated[
        int, typer.Option(min=1, max=fanouts.VIEWERS_MAX, help="How many watch.")
    ] = overloads.VIEWERS,
    rate: Annotated[
        float, typer.Option(min=10, max=fanouts.RATE_MAX, help="Texts offered a second at most.")
    ] = overloads.RATE,
    seconds: Annotated[
        float, typer.Option(min=1, max=fanouts.SECONDS_MAX, help="For how long, each.")
    ] = 10,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots here.")] = None,
) -> None:
    """Offer a room a busy evening and ten times as much, beside what was promised."""
    plan = overloads.Plan(viewers=viewers, rate=rate, seconds=seconds)
    _finish(lambda console: overloads.measure(plan, console), json, html)


@app.command()
def accept(
    viewers: Annotated[
        int, typer.Option(min=1, max=fanouts.VIEWERS_MAX, help="How many come in at once.")
    ] = 1_000,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots here.")] = None,
) -> None:
    """Let viewers come in by websocket as fast as they can: handshake, hello, welcome."""
    _finish(lambda console: accepts.measure(viewers, console), json, html)


def _finish(run: Callable[[Console], Report], json: Path | None, html: Path | None) -> None:
    console = Console()
    try:
        report = run(console)
    except (FanoutFailed, ServerFailed) as failed:
        console.print(str(failed), markup=False)
        raise typer.Exit(1) from failed
    report.show(console)
    report.save(json, html)
    if report.failures:
        raise typer.Exit(1)


@app.command()
def gifts(
    store: Annotated[
        str | None,
        typer.Option(help="An empty PostgreSQL database, or a new SQLite file, to write into."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.2, max=600, help="For how long, each store and loop.")
    ] = 5,
    clients: Annotated[
        int, typer.Option(min=1, max=gift_run.CLIENTS_MAX, help="How many give at once.")
    ] = 100,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots here.")] = None,
) -> None:
    """Give in one room, on SQLite and PostgreSQL, beside bare loops of the same statements."""
    console = Console()
    try:
        report = gift_run.run(store, gift_run.Plan(clients=clients, seconds=seconds))
    except (gift_run.GiftsFailed, StoreUnusableError) as failed:
        console.print(str(failed), markup=False)
        raise typer.Exit(1) from failed
    report.show(console)
    report.save(json, html)
    if report.failures:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
