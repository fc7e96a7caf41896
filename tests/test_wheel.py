"""The wheel alone is enough: pages inside, no compiler and no Node where it is installed."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import httpx
import pytest

from tests.server import environment_for, running

ROOT = Path(__file__).parent.parent


def _run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_a_wheel_in_an_empty_environment_serves_the_pages(tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    _run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, ".")
    (wheel,) = tmp_path.glob("liveroom-*.whl")
    _run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "empty")
    python = tmp_path / "empty" / "bin" / "python"
    _run(*pip, "--python", python, "install", "--no-deps", "--no-index", wheel)
    # Dependencies come from here instead of a second download; the package itself does not.
    site = next((tmp_path / "empty" / "lib").glob("python3*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    environment = environment_for(tmp_path)
    environment["PATH"] = str(python.parent)
    with running(environment, tmp_path / "server.log", python=python) as server:
        page = httpx.get(f"{server.base}/")
        scripts = [part.split('"')[0] for part in page.text.split('src="')[1:]]
        statuses = {httpx.get(server.base + path).status_code for path in scripts}
        home = _run(
            python, "-c", "import os; os.chdir('/'); import liveroom; print(liveroom.__file__)"
        )

    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]
    assert scripts
    assert statuses == {200}
    assert str(tmp_path) in home
