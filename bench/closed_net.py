"""A network namespace of its own for a run: one interface, from which nothing can leave."""

import os
import shutil
import sys
from pathlib import Path

ADDRESS = "10.77.0.1"
"""Of the one interface."""
SCRIPT = Path(__file__).parent.parent / "tests" / "peers" / "closed_net.sh"
MARK = "LIVEROOM_BENCH_CLOSED_NET"


def obstacle() -> str | None:
    """Say why no namespace can be made; None when one can."""
    if os.geteuid() != 0:
        return "A network namespace needs root."
    missing = [tool for tool in ("unshare", "ip", "sysctl") if shutil.which(tool) is None]
    return f"Missing: {', '.join(missing)}." if missing else None


def enter() -> None:
    """Run this very command again inside a namespace, unless that is where we are."""
    if os.environ.get(MARK):
        return
    os.environ[MARK] = "1"
    command = [sys.executable, "-m", "bench", *sys.argv[1:]]
    sys.stdout.flush()
    os.execv(SCRIPT, [str(SCRIPT), *command])
