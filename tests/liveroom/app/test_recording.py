"""Nothing of a private call is recorded; what follows goes into a file of its own."""

from pathlib import Path
from typing import Any

from liveroom.app.recording import Recording
from liveroom.domain import seats
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.seats import Stage
from sfu.app import MediaEvent

ROOM, ANN = RoomId("r1"), UserId("ann")


class Recorder:
    """A media core and the notes of recordings, as far as recording needs them."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, str]] = []

    async def record(self, session: str, _file: str) -> float:
        self.orders.append(("record", session))
        return 0.0

    def stop_recording(self, session: str) -> None:
        self.orders.append(("stop", session))

    async def begin(self, *_given: Any) -> bool:
        return True


def on_air(session: str = "s1") -> Stage:
    return seats.seat_host(Stage(), user=UserId("host"), name="Mia", session=session)


def private(stage: Stage) -> Stage:
    called = seats.invite(stage, user=ANN, name="Ann", at=0)
    return seats.answer(called, ANN, at=0)


def live(session: str) -> MediaEvent:
    return MediaEvent("live", ROOM, "host", session, {"role": "host", "direction": "publish"})


async def test_a_private_call_is_in_no_file(tmp_path: Path) -> None:
    core: Any = Recorder()
    recording = Recording(core, core, tmp_path, lambda: 0, lambda: "file")
    await recording.follow(live("s1"))
    await recording.staged(ROOM, on_air())
    await recording.staged(ROOM, private(on_air()))
    assert core.orders == [("record", "s1"), ("stop", "s1")]
    await recording.follow(live("s2"))
    assert len(core.orders) == 2, "who comes back into the call is not recorded either"
    await recording.staged(ROOM, on_air("s2"))
    assert core.orders[2:] == [("record", "s2")]
    await recording.staged(ROOM, on_air("s2"))
    assert len(core.orders) == 3
