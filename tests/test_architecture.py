"""The floor plan is enforced: import directions, pure layers, file length, names."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOP_LEVEL = {"liveroom", "sfu", "tests", "bench", "deploy", ".ci"}
FILE_WALL = 500
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "common", "misc", "manager"}

# A layer may import itself and what stands below it.
LAYERS: dict[str, set[str]] = {
    "liveroom.domain": set(),
    "liveroom.store": {"liveroom.domain", "liveroom.observe"},
    "liveroom.bus.address": set(),
    "liveroom.bus": {"liveroom.bus.address", "liveroom.domain", "liveroom.observe"},
    "liveroom.protocol": {"liveroom.domain"},
    "liveroom.service": {
        "liveroom.domain",
        "liveroom.store",
        "liveroom.bus",
        "liveroom.protocol",
        "liveroom.observe",
    },
    "liveroom.edge": {
        "liveroom.domain",
        "liveroom.bus",
        "liveroom.protocol",
        "liveroom.service",
        "liveroom.config",
        "liveroom.observe",
    },
    "liveroom.client": {"liveroom.protocol", "liveroom.domain"},
    "liveroom.config": {"liveroom.bus.address", "liveroom.domain"},
    "liveroom.observe": set(),
    "liveroom.doctor": {
        "liveroom.bus",
        "liveroom.bus.address",
        "liveroom.config",
        "liveroom.store",
        "sfu.app",
    },
    "liveroom.app": {
        "liveroom.domain",
        "liveroom.store",
        "liveroom.bus",
        "liveroom.bus.address",
        "liveroom.protocol",
        "liveroom.service",
        "liveroom.edge",
        "liveroom.config",
        "liveroom.observe",
        "sfu.app",
        "sfu.config",
    },
    "liveroom.demo": {
        "liveroom.app",
        "liveroom.client",
        "liveroom.config",
        "liveroom.domain",
        "liveroom.edge",
        "liveroom.observe",
        "liveroom.protocol",
        "liveroom.service",
    },
    "liveroom.minting": {"liveroom.config", "liveroom.domain", "liveroom.edge"},
    "liveroom.__main__": {"liveroom.commands", "liveroom.minting"},
    "liveroom.commands": {
        "liveroom.minting",
        "liveroom.app",
        "liveroom.client",
        "liveroom.config",
        "liveroom.demo",
        "liveroom.doctor",
        "liveroom.domain",
        "liveroom.edge",
        "liveroom.observe",
        "liveroom.store",
    },
    "sfu.packet": set(),
    "sfu.media": {"sfu.packet"},
    "sfu.control": {"sfu.packet", "sfu.media", "sfu.config"},
    "sfu.recorder.wire": set(),
    "sfu.recorder": {"sfu.packet", "sfu.recorder.wire"},
    "sfu.edge": {
        "sfu.packet",
        "sfu.media",
        "sfu.control",
        "sfu.config",
        "sfu.observe",
        "sfu.recorder.wire",
    },
    "sfu.config": set(),
    "sfu.observe": set(),
    "sfu.app": {
        "sfu.packet",
        "sfu.media",
        "sfu.control",
        "sfu.edge",
        "sfu.config",
        "sfu.observe",
        "sfu.recorder.wire",
    },
}

PURE = ("liveroom/domain", "liveroom/protocol", "sfu/media", "sfu/packet")
FORBIDDEN_IN_PURE = {
    "asyncio", "socket", "ssl", "time", "random", "secrets", "os", "logging", "threading",
    "subprocess", "aiortc", "aioice", "sqlalchemy", "redis", "httpx", "litestar", "websockets",
    "structlog", "prometheus_client", "OpenSSL",
}  # fmt: skip


def _sources() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py", "*.ts", "*.vue", "*.c"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def _package_modules() -> dict[str, Path]:
    modules = {}
    for path in _sources():
        relative = path.relative_to(ROOT)
        if path.suffix == ".py" and relative.parts[0] in ("liveroom", "sfu"):
            name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
            modules[name] = path
    return modules


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _layer_of(module: str) -> str | None:
    return next((layer for layer in LAYERS if f"{module}.".startswith(f"{layer}.")), None)


def test_imports_run_only_downwards() -> None:
    wrong = []
    for name, path in _package_modules().items():
        layer = _layer_of(name)
        if layer is None:
            continue
        for target in _imports(path):
            below = _layer_of(target)
            if below and below != layer and below not in LAYERS[layer]:
                wrong.append(f"{name} imports {target}")

    assert not wrong, "\n".join(sorted(set(wrong)))


def test_every_module_belongs_to_a_layer() -> None:
    homeless = [
        name
        for name in _package_modules()
        if _layer_of(name) is None
        and name not in ("liveroom", "sfu")
        and not name.startswith("liveroom.web")
    ]

    assert not homeless


def test_only_the_composition_root_and_the_doctor_know_the_forwarding_units_face() -> None:
    for name, path in _package_modules().items():
        for target in _imports(path):
            if target.split(".")[0] == "sfu" and name.startswith("liveroom"):
                assert _layer_of(name) in ("liveroom.app", "liveroom.doctor"), (
                    f"{name} imports {target}"
                )
                assert target.startswith(("sfu.app", "sfu.config")), f"{name} imports {target}"
            assert not (target.split(".")[0] == "liveroom" and name.startswith("sfu")), name


def test_modules_do_not_import_each_other_in_circles() -> None:
    modules = _package_modules()
    graph = {
        name: {t for t in _imports(path) if t in modules and t != name}
        for name, path in modules.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail, name])
        if name not in done:
            for target in graph[name]:
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("folder", PURE)
def test_pure_layers_know_no_clock_no_socket_no_chance(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for target in _imports(path):
            assert target.split(".")[0] not in FORBIDDEN_IN_PURE, f"{path.name} imports {target}"


def test_no_file_climbs_over_the_wall() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in _sources()
        if (lines := path.read_text(encoding="utf8").count("\n")) > FILE_WALL
    }

    assert not long


def test_every_file_has_a_name_that_says_something() -> None:
    assert not [path for path in _sources() if path.stem in NAMES_THAT_SAY_NOTHING]


def test_top_level_holds_only_the_named_folders() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert {name.split("/")[0] for name in tracked if "/" in name} <= TOP_LEVEL


def test_lock_files_carry_hashes_and_no_addresses() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    npm = (ROOT / "liveroom/web/package-lock.json").read_text()

    assert "--hash=sha256:" in lock
    assert not re.search(r"https?://", lock)
    assert '"resolved"' not in npm
    assert '"integrity"' in npm


def test_the_server_never_loads_a_decoder() -> None:
    """PyAV carries FFmpeg's LGPL and GPL parts, and a decoder has no place beside packets."""
    program = "import liveroom.app, sys; print(*sorted({'av', 'aiortc'} & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert not loaded


def test_the_map_in_the_readme_names_files_that_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    named = re.findall(r"`((?:liveroom|sfu|bench|deploy|tests)/[\w./{},]+)`", readme)
    paths = [
        path.replace(match[0], choice) if (match := re.search(r"\{.*\}", path)) else path
        for path in named
        for choice in (re.search(r"\{(.*)\}", path) or [None, ""])[1].split(",")
    ]

    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []
