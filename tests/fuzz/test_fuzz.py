"""A short, seeded round of every fuzz target, and all that once broke one.

The long rounds (a million runs each, guided by coverage) are `make fuzz`, part of the release
check.
"""

import random
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

ROUNDS = 1_500
SEED = 20_261_126
REGRESSIONS = Path(__file__).parent / "regressions"


def mutated(chance: random.Random, seeds: tuple[bytes, ...]) -> bytes:
    """Change a seed a little, as fuzzers do: bits, lengths, pieces of others."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(data):
                data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                del data[at:]
            case 3:
                data[at:at] = chance.randbytes(chance.randint(1, 9))
            case 4:
                other = chance.choice(seeds)
                data[at:] = other[chance.randrange(len(other)) :]
            case 5:
                del data[at : at + chance.randint(1, 5)]
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_escapes_in_a_short_round(name: str) -> None:
    target, chance = TARGETS[name], random.Random(SEED)

    for number in range(ROUNDS):
        data = mutated(chance, target.seeds)
        try:
            target.run(data)
        except Exception as error:
            raise AssertionError(f"input {number}: {data.hex()}") from error


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_inputs_that_mean_something(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].run(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_what_once_broke_a_target_breaks_it_no_more(name: str) -> None:
    for kept in sorted((REGRESSIONS / name).glob("*")):
        TARGETS[name].run(kept.read_bytes())
