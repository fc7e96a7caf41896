"""The servers that the fan-out is measured beside, and how to run them here.

Each speaks the lines of `fanout_server`; those that are not installed are left out, with the
command that brings them.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from bench import nchan_server

HERE = Path(__file__).parent
WEB = HERE.parent / "liveroom" / "web"
BUN = HERE / "peers" / "node_modules" / "@oven" / "bun-linux-x64" / "bin" / "bun"
SCRIPT = str(HERE / "peers" / "broadcast.mjs")


@dataclass(frozen=True, slots=True)
class Rival:
    """One server: its name in the tables, its command, and why it cannot run (None = it can).

    `is_peer`: it is somebody's product; the bare loop is only the limit.
    """

    name: str
    command: Sequence[str]
    why_not: str | None = None
    is_peer: bool = True


def ours(kind: str) -> Sequence[str]:
    """Give the command of a server written here."""
    return (sys.executable, "-m", "bench.fanout_server", kind)


def rivals() -> list[Rival]:
    """List all, the limit first."""
    node = which("node")
    has_ws = node is not None and (WEB / "node_modules" / "ws").is_dir()
    has_bun = BUN.exists()
    return [
        Rival("bare", ours("bare"), is_peer=False),
        Rival("broadcast", ours("broadcast")),
        Rival(
            "node",
            (str(node), SCRIPT, str(WEB / "package.json")),
            None if has_ws else "make install (Node and liveroom/web/node_modules/ws)",
        ),
        Rival(
            "bun",
            (str(BUN), SCRIPT),
            None if has_bun else "npm install --prefix bench/peers --ignore-scripts",
        ),
        Rival("nchan", (sys.executable, "-m", "bench.nchan_server"), nchan_server.why_not()),
    ]
