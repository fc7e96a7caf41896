"""What the machine itself says: CPU and memory of a process, and the price of a bare send.

Linux only: reads /proc, so that nothing has to be installed.
"""

import os
import resource
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_READER = (
    "import socket,sys\n"
    "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
    "s.setsockopt(socket.SOL_SOCKET,socket.SO_RCVBUF,1<<22)\n"
    "s.bind(('127.0.0.1',0));print(s.getsockname()[1],flush=True)\n"
    "while s.recv(2048):pass\n"
)
CALIBRATION_S = 1.0


@dataclass(frozen=True, slots=True)
class Usage:
    """A process at one moment: CPU seconds so far, resident bytes."""

    cpu_s: float
    resident_bytes: int


def usage(pid: int) -> Usage:
    """Read a process's usage, its children left out."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    fields = stat[stat.rindex(")") + 2 :].split()
    cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Usage(cpu_s, pages * os.sysconf("SC_PAGE_SIZE"))


def sendto_cost_us(packet_bytes: int, *, for_s: float = CALIBRATION_S) -> float:
    """Measure the CPU of one bare `sendto` from Python into a socket that somebody reads."""
    reader = subprocess.Popen([sys.executable, "-c", _READER], stdout=subprocess.PIPE, text=True)
    try:
        assert reader.stdout is not None
        address = ("127.0.0.1", int(reader.stdout.readline()))
        payload = os.urandom(packet_bytes)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            count, until = 0, time.monotonic() + for_s
            before = resource.getrusage(resource.RUSAGE_THREAD)
            while time.monotonic() < until:
                for _ in range(100):
                    sock.sendto(payload, address)
                count += 100
            after = resource.getrusage(resource.RUSAGE_THREAD)
            sock.sendto(b"", address)
    finally:
        reader.kill()
        reader.wait()
        if reader.stdout is not None:
            reader.stdout.close()
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent / count * 1e6


def describe() -> dict[str, str]:
    """Name the machine, so that figures can be compared."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cpu": model,
        "cores": str(os.cpu_count()),
        "kernel": os.uname().release,
        "python": sys.version.split()[0],
    }
