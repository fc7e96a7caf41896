"""The command line: tokens fast and alone on stdout, settings as flags, faults in a sentence."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import jwt
import pytest

from liveroom.config import settings
from liveroom.domain.ids import TenantId, UserId
from liveroom.domain.ledger import Bundle, Transfer, chart
from liveroom.store import posting
from liveroom.store.database import open_store

SECRET = "0123456789abcdef0123456789abcdef"
TOKEN_WITHIN_S = 0.5


def run(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `liveroom` as a shell would, with a clean environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.run(
        [sys.executable, "-m", "liveroom", *arguments],
        env=kept | {"PYTHONPATH": root, "COLUMNS": "200"} | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_token_is_all_there_is_on_stdout_and_holds_what_was_asked(tmp_path: Path) -> None:
    arguments = "token --room r1 --user ann --role viewer --merchant m1 --age-band adult --ttl 60"
    done = run(tmp_path, *arguments.split(), "--name", "安 安", LIVEROOM_SECRET=SECRET)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    claims = jwt.decode(done.stdout.strip(), SECRET, algorithms=["HS256"])
    assert claims.pop("exp") - claims.pop("iat") == 60
    assert claims == {
        "sub": "ann",
        "room": "r1",
        "role": "viewer",
        "merchant": "m1",
        "name": "安 安",
        "age_band": "adult",
    }


def test_a_token_takes_less_than_half_a_second(tmp_path: Path) -> None:
    def seconds() -> float:
        started = time.perf_counter()
        done = run(
            tmp_path,
            *["token", "--room", "*", "--user", "h", "--role", "host"],
            LIVEROOM_SECRET=SECRET,
        )
        assert done.returncode == 0
        return time.perf_counter() - started

    assert min(seconds() for _ in range(3)) < TOKEN_WITHIN_S


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("token --room r --user u --role king", "invalid choice"),
        ("token --room r --user u", "--role"),
        ("token --room r/x --user u --role host", "room is not an id"),
        ("token --room r --user * --role host", "user is not an id"),
        ("token --room r --user u --role host --ttl 0", "1 to"),
        ("token --room r --user u --role host --ttl x", "--ttl"),
        ("token --room r --user u --role host --secret short", "32 bytes"),
        ("serve --http nowhere", "HOST:PORT"),
        ("serve --secret short", "32 bytes"),
        ("serve --nothing", "No such option"),
        ("db upgrade --store mysql://x", "sqlite:///"),
        ("nothing", "No such command"),
    ],
)
def test_a_fault_is_one_sentence_and_exit_status_2(
    tmp_path: Path, arguments: str, says: str
) -> None:
    done = run(tmp_path, *arguments.split(), LIVEROOM_SECRET=SECRET)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "token --room r --user u --role host"])
def test_without_a_secret_it_says_how_to_set_one(tmp_path: Path, command: str) -> None:
    done = run(tmp_path, *command.split())
    assert done.returncode == 2
    assert "LIVEROOM_SECRET" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_shows_each_setting_with_its_default_and_its_environment_name(tmp_path: Path) -> None:
    shown = " ".join(run(tmp_path, "serve", "--help").stdout.split())
    for row in settings():
        assert f"{row.flag} " in shown
        assert row.environment in shown.replace("_ ", "_")
    assert "[default: 127.0.0.1:8080]" in shown
    assert "sqlite:///./liveroom.db" in shown
    overview = run(tmp_path, "--help").stdout
    for command in ("serve", "token", "db", "doctor", "publish", "demo"):
        assert f"  {command} " in overview
    assert "--age-band" in run(tmp_path, "token", "--help").stdout


def test_the_database_is_upgraded_and_its_password_not_shown(tmp_path: Path) -> None:
    done = run(tmp_path, "db", "upgrade", "--store", "sqlite:///./shop.db")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "shop.db").stat().st_size > 0
    secret = run(tmp_path, "db", "upgrade", "--store", "postgresql://a:hush@127.0.0.1:1/x")
    assert secret.returncode != 0
    assert "hush" not in secret.stdout + secret.stderr


def test_verify_says_what_it_checked_and_finds_what_was_changed(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/store.db"
    assert run(tmp_path, "db", "upgrade", "--store", store).returncode == 0
    wallet = chart.wallet_of(UserId("u1"))
    transfer = Transfer(chart.ISSUER, wallet, 5)
    bundle = Bundle(id="b1", cause="opening", ref="k", transfers=(transfer,))

    async def post() -> None:
        opened = await open_store(store)
        await opened.run(lambda tx: posting.post_bundle(tx, TenantId("t"), bundle, at=1))
        await opened.close()

    asyncio.run(post())
    done = run(tmp_path, "db", "verify", "--store", store, "--heads")
    assert (done.returncode, done.stderr) == (0, "")
    head, summary = done.stdout.splitlines()
    assert head.endswith(" t user:u1:coins:wallet")
    assert summary == "1 bundles, 2 lines, 1 chains, 0 faults."
    with sqlite3.connect(f"{tmp_path}/store.db") as database:
        database.execute("UPDATE accounts SET balance = 6")
    done = run(tmp_path, "db", "verify", "--store", store)
    assert done.returncode == 1
    assert "states 6, its lines say otherwise" in done.stderr
