"""The TypeScript SDK over the property test's evenings: the same hellos, the same on the screen.

Each client of an evening is recorded (connections, frames, cuts, what the proven Python client
drew) and replayed to the SDK in Node.
"""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from liveroom.client.visit import RoomEvent
from liveroom.protocol.codec import JSON, MSGPACK, Codec
from liveroom.protocol.messages import Resume
from tests.liveroom.edge.screens import Screen
from tests.liveroom.edge.test_resume_property import PEOPLE, Evening, Person, live_through

WEB = Path(__file__).parents[3] / "liveroom" / "web"
EVENINGS = 25 * int(os.environ.get("LIVEROOM_TEST_ROUNDS", "1"))
ACTS_PER_EVENING = 200

pytestmark = pytest.mark.slow


@dataclass
class RecordedScreen(Screen):
    """Writes down what is drawn."""

    story: list[str] = field(default_factory=list)

    def begin(self, *, epoch: str, offset: int, personal: int) -> None:
        super().begin(epoch=epoch, offset=offset, personal=personal)
        self.story.append(f"begin {epoch} {offset} {personal}")

    def draw(self, event: RoomEvent) -> None:
        super().draw(event)
        self.story.append(event.id)


class Recorded(Person):
    """A person whose visits are written down."""

    def __init__(self, user: str, codec: Codec) -> None:
        super().__init__(user, codec)
        self.screen: RecordedScreen = RecordedScreen()
        self.steps: list[dict[str, Any]] = []

    def place(self) -> Resume | None:
        resume = super().place()
        if self.steps:
            self.steps.append({"cut": True})
        self.steps.append({"connect": None if resume is None else msgspec.to_builtins(resume)})
        return resume

    def take(self, frame: dict[str, Any]) -> None:
        self.steps.append({"frame": frame})
        super().take(frame)

    def script(self) -> dict[str, Any]:
        return {"steps": self.steps, "drawn": self.screen.story}


class RecordedEvening(Evening):
    """An evening whose clients are written down when it is over."""

    def __init__(self) -> None:
        super().__init__()
        self.recorded = [
            Recorded(f"u{index}", (JSON, MSGPACK)[index % 2]) for index in range(PEOPLE)
        ]
        self.people = list(self.recorded)


def test_the_sdk_says_and_draws_what_the_proven_client_does(tmp_path: Path) -> None:
    scripts: list[dict[str, Any]] = []
    for seed in range(EVENINGS):
        evening = RecordedEvening()
        live_through(evening, Random(seed), acts=ACTS_PER_EVENING)
        scripts += [person.script() for person in evening.recorded]
    steps = [step for script in scripts for step in script["steps"]]
    assert sum("cut" in step for step in steps) > EVENINGS
    assert any(step.get("connect") for step in steps)
    file = tmp_path / "scripts.json"
    file.write_bytes(msgspec.json.encode(scripts))
    replayed = subprocess.run(
        ["node_modules/.bin/vitest", "run", "sdk/tests/replay.test.ts", "--reporter", "verbose"],
        cwd=WEB,
        env=os.environ | {"LIVEROOM_SCRIPTS": str(file)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert replayed.returncode == 0, replayed.stdout[-4000:] + replayed.stderr[-2000:]
    assert f"draws {len(scripts)} of them like the proven client" in replayed.stdout
