"""The command line: every program of `liveroom`, each importing only what it needs.

Flags become settings; what is wrong with them is one sentence and exit status 2. It knows
settings and exit codes, nothing else.
"""

import asyncio
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from liveroom import minting
from liveroom.config import Config, ConfigError, load, settings

if TYPE_CHECKING:
    from liveroom.store.auditing import Verified

program = typer.Typer(
    name="liveroom",
    help="Real-time engagement server for e-commerce live rooms.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
database = typer.Typer(help="Look after the database.", no_args_is_help=True)
program.add_typer(database, name="db")


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"liveroom: {sentence}", err=True)
    raise typer.Exit(minting.FAULTY)


def _config(flags: dict[str, Any], *, needs_keys: bool = True) -> Config:
    chosen = dict(flags)
    file = chosen.pop("config", None)
    try:
        return load(chosen, file=file, needs_keys=needs_keys)
    except ConfigError as error:
        _fail(str(error))


def _takes_settings(command: Any) -> Any:
    """Give a command one flag for every setting, made from the table of settings."""
    parameters = [
        inspect.Parameter(
            "config",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                Path | None,
                typer.Option("--config", help="Settings file. [default: liveroom.toml if there]"),
            ],
        )
    ]
    for row in settings():
        text = f"{row.help} [env: {row.environment}] [default: {row.default}]"
        option = typer.Option(row.flag, help=text, show_default=False, metavar="VALUE")
        parameters.append(
            inspect.Parameter(
                row.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[str | None, option],
            )
        )
    command.__signature__ = inspect.Signature(parameters)
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


@program.command()
@_takes_settings
def serve(**flags: Any) -> None:
    """Run the server until it is told to stop (SIGTERM or SIGINT drain it)."""
    config = _config(flags)
    from liveroom import app

    app.run(config)


@program.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def token(context: typer.Context) -> None:
    """Print a signed token."""
    raise typer.Exit(minting.run(context.args))


@database.command()
def upgrade(
    store: Annotated[
        str | None, typer.Option(help="Database. [env: LIVEROOM_STORE]", show_default=False)
    ] = None,
) -> None:
    """Bring the database to this version's tables."""
    config = _config({"store": store}, needs_keys=False)
    from liveroom.store.database import upgrade as migrate
    from liveroom.store.port import StoreUnusableError

    try:
        asyncio.run(migrate(config.store))
    except StoreUnusableError as error:
        _fail(str(error))
    typer.echo(f"{_shown(config.store)} is up to date.")


@database.command()
def verify(
    store: Annotated[
        str | None, typer.Option(help="Database. [env: LIVEROOM_STORE]", show_default=False)
    ] = None,
    heads: Annotated[
        bool, typer.Option("--heads", help="Print the last hash of every account.")
    ] = False,
) -> None:
    """Check the whole ledger: sums, balances, hash chains, lots, holds. Exit 1 at a fault."""
    config = _config({"store": store}, needs_keys=False)
    from liveroom.store.auditing import verify as check
    from liveroom.store.database import open_store
    from liveroom.store.port import StoreUnusableError

    async def run() -> "Verified":
        opened = await open_store(config.store)
        try:
            return await opened.run(check)
        finally:
            await opened.close()

    try:
        found = asyncio.run(run())
    except StoreUnusableError as error:
        _fail(str(error))
    for fault in found.faults:
        typer.echo(fault, err=True)
    for (tenant, account), head in sorted(found.heads.items()) if heads else ():
        typer.echo(f"{head} {tenant} {account}")
    typer.echo(
        f"{found.bundles} bundles, {found.lines} lines, {len(found.heads)} chains, "
        f"{len(found.faults)} faults."
    )
    raise typer.Exit(1 if found.faults else 0)


def _shown(store: str) -> str:
    """Leave the password out of a database address."""
    scheme, _, rest = store.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


@program.command()
@_takes_settings
def doctor(**flags: Any) -> None:
    """Check ports, kernel, store, clock and disk, and say what to do."""
    config = _config(flags, needs_keys=False)
    from liveroom.doctor import run

    raise typer.Exit(run(config))


@program.command()
def publish(
    source: Annotated[
        str,
        typer.Argument(
            help="File, /dev/video0, device:FORMAT:NAME, rtmp:// or rtsp:// address, or test:"
        ),
    ],
    whip_url: Annotated[str, typer.Argument(help="The room's WHIP address.")],
    token: Annotated[str, typer.Option(help="Token of role host.")],
    copy: Annotated[
        bool, typer.Option("--copy", help="Send a file's packets as they are.")
    ] = False,
) -> None:
    """Send a source to a room through WHIP until stopped."""
    from liveroom.client import publish as publisher

    raise typer.Exit(publisher.run(source, whip_url, token, copy))


@program.command("import")
def import_(
    kind: Annotated[str, typer.Argument(help="members or orders.")],
    file: Annotated[Path, typer.Argument(help="CSV file in UTF-8 with a head line.")],
    token: Annotated[str, typer.Option(help="Token of role merchant or admin.")],
    url: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8080",
    merchant: Annotated[str | None, typer.Option(help="For which merchant, as an admin.")] = None,
) -> None:
    """Import members or past orders from a CSV file; interrupted, it goes on where it was."""
    from liveroom.client import importing

    if kind not in importing.COLUMNS:
        _fail("Import members or orders.")
    raise typer.Exit(importing.run(kind, file, url, token, merchant))


@program.command()
def demo(
    for_: Annotated[float | None, typer.Option("--for", help="Stop after SECONDS.")] = None,
    source: Annotated[str | None, typer.Option(help="Media file the host sends.")] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Open no browser.")] = False,
) -> None:
    """Open a whole shop with a live room, a host and simulated shoppers."""
    from liveroom import demo as shop

    raise typer.Exit(shop.run(for_, source, headless) or 0)
