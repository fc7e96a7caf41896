"""`python -m tests.fuzz.run TARGET --runs N`: coverage-guided fuzzing of one target by atheris.

What breaks something is written to `tests/fuzz/regressions/TARGET/` and stays there: the suite
tries it ever after.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

INPUT_BYTES_MAX = 2_048
SECONDS_PER_INPUT_MAX = 10
REGRESSIONS = Path(__file__).parent / "regressions"


def main() -> None:
    """Fuzz until the runs are done or something breaks."""
    with atheris.instrument_imports(include=["sfu"]):
        from tests.fuzz.targets import TARGETS
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0, help="0: by chance")
    chosen = parser.parse_args()
    target = TARGETS[chosen.target]
    kept = REGRESSIONS / chosen.target
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="liveroom-fuzz-") as folder:
        for number, seed in enumerate(target.seeds):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
        arguments = [
            sys.argv[0],
            f"-runs={chosen.runs}",
            f"-seed={chosen.seed}",
            f"-max_len={INPUT_BYTES_MAX}",
            f"-timeout={SECONDS_PER_INPUT_MAX}",
            f"-artifact_prefix={kept}/",
            "-print_final_stats=1",
            "-verbosity=0",
            folder,
            str(kept),
        ]
        atheris.Setup(arguments, target.run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
