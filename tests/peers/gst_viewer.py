"""Start `gst_peer.py` in the closed network and read what it saw."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.peers.conftest import INTERFACE, Network, Shell

PEER = Path(__file__).parent / "gst_peer.py"
SYSTEM_PYTHON = "/usr/bin/python3"
SLACK_S = 30.0


def start_gst(
    network: Network,
    shell: Shell,
    *,
    codec: str,
    seconds: float,
    play: bool,
    room: str = "r1",
) -> subprocess.Popen[str]:
    """Start a publisher (the host) or a viewer."""
    door, role = ("whep", "viewer") if play else ("whip", "host")
    return network.start(
        SYSTEM_PYTHON,
        str(PEER),
        f"{shell.url}/{door}/{room}",
        *("--token", f"{role}:gst-{role}", "--codec", codec, "--seconds", str(seconds)),
        *("--address", INTERFACE),
        *(("--play",) if play else ()),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def result(process: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    """Wait for a peer's end and read its line."""
    out, _ = process.communicate(timeout=seconds + SLACK_S)
    seen: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert seen["errors"] == []
    return seen


def gst_view(network: Network, shell: Shell, *, codec: str, seconds: float) -> dict[str, Any]:
    """Watch for a while; return what was decoded."""
    process = start_gst(network, shell, codec=codec, seconds=seconds, play=True)
    return result(process, seconds)
