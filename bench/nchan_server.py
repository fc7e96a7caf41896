"""`python -m bench.nchan_server`: nginx with nchan as one server of the fan-out measurement.

Speaks the same lines as `fanout_server`. What is sent goes to nginx by HTTP POST, as a backend
would; the CPU that is told is nginx's alone.
"""

import http.client
import json
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
ANSWERS_WITHIN_S = 10.0
LINGER_S = 0.3
"""What was sent last is given so long to arrive."""

CONFIG = """
load_module {module};
daemon off; master_process off; worker_rlimit_nofile 65536;
pid {folder}/pid; error_log {folder}/log crit;
events {{ worker_connections 32768; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /v1/ws {{ nchan_subscriber websocket; nchan_channel_id bench; }}
    location = /publish {{ nchan_publisher; nchan_channel_id bench; }}
  }}
}}
"""


def why_not() -> str | None:
    """Say why nchan cannot be measured here; None = it can."""
    if shutil.which("nginx") is None or not MODULE.exists():
        return "apt-get install nginx-light libnginx-mod-nchan"
    return None


def _cpu_s(pid: int) -> float:
    """Read how long a process of one thread has run, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def carry_out(order: dict[str, Any], port: int, pid: int) -> dict[str, Any]:
    """Publish what the order says."""
    backend = http.client.HTTPConnection("127.0.0.1", port)
    before, started = _cpu_s(pid), time.monotonic()
    sent = delivered = 0
    while (passed := time.monotonic() - started) < order["seconds"]:
        while sent < int(passed * order["rate"]):
            sent += 1
            payload = str(time.monotonic_ns()).encode().ljust(order["bytes"], b" ")
            backend.request("POST", "/publish", payload, {"Accept": "application/json"})
            delivered += json.loads(backend.getresponse().read())["subscribers"]
        time.sleep(max(0.001, min(0.02, 0.5 / order["rate"])))
    time.sleep(LINGER_S)
    return {
        "cpu_s": _cpu_s(pid) - before,
        "took_s": time.monotonic() - started,
        "frames": delivered,
        "text": sent,
        "money": 0,
        "lag_ms": None,
    }


def main() -> None:
    """Serve until stdin ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tempfile.mkdtemp(prefix=f"nchan-{secrets.token_hex(4)}-")
    config = Path(folder, "nginx.conf")
    config.write_text(CONFIG.format(module=MODULE, folder=folder, port=port))
    server = subprocess.Popen(["nginx", "-p", folder, "-c", str(config)])
    try:
        _wait(port)
        _say({"port": port, "secret": "", "pid": server.pid})
        for line in sys.stdin:
            _say(carry_out(json.loads(line), port, server.pid))
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


def _wait(port: int) -> None:
    until = time.monotonic() + ANSWERS_WITHIN_S
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("nginx does not answer")


def _say(fields: dict[str, Any]) -> None:
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    main()
