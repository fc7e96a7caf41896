"""The native loop keeps to its memory: the whole contract again under AddressSanitizer."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
COMPILER = shutil.which("gcc")
LOADER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("sfu.edge._fanout", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.modules["sfu.edge._fanout"] = module
import sfu.edge, pytest
sfu.edge._fanout = module
from sfu.edge import native
assert native.why_not_native() is None, native.why_not_native()
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", sys.argv[2]]))
"""


def _sanitizer() -> str | None:
    if COMPILER is None or not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return None
    found = subprocess.run(
        [COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return found if Path(found).is_file() else None


@pytest.mark.slow
def test_the_native_loop_reads_and_writes_only_what_is_its_own(tmp_path: Path) -> None:
    sanitizer = _sanitizer()
    if sanitizer is None:
        pytest.skip("needs gcc, its libasan and Python's headers")
    built = tmp_path / "_fanout.so"
    subprocess.run(
        [
            str(COMPILER),
            *("-std=gnu11", "-g", "-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"),
            *("-Wno-missing-field-initializers", "-fno-omit-frame-pointer"),
            "-fsanitize=address,undefined",
            "-I" + sysconfig.get_path("include"),
            *(str(ROOT / "sfu/edge/_fanout.c"), "-o", str(built)),
        ],
        check=True,
    )
    done = subprocess.run(
        [sys.executable, "-c", LOADER, str(built), "tests/contracts/test_fanout.py"],
        cwd=ROOT,
        env=os.environ
        | {
            "LD_PRELOAD": sanitizer,
            # Python's own arena would hide reads beyond an object; its leaks are not ours.
            "PYTHONMALLOC": "malloc",
            "ASAN_OPTIONS": "detect_leaks=0",
            "UBSAN_OPTIONS": "halt_on_error=1",
        },
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "skipped" not in done.stdout
