"""What a client drew, held to the promise: each durable event once, in order, or a snapshot."""

from dataclasses import dataclass, field

from liveroom.client.visit import RoomEvent


@dataclass
class Segment:
    """What was drawn since a welcome that did not resume."""

    epoch: str
    offset: int
    personal: int
    numbers: list[int] = field(default_factory=list)
    personal_numbers: list[int] = field(default_factory=list)

    @property
    def reached(self) -> tuple[int, int]:
        return self.offset + len(self.numbers), self.personal + len(self.personal_numbers)


@dataclass
class Screen:
    """Everything one client drew, over all its connections."""

    segments: list[Segment] = field(default_factory=list)
    drawn: set[tuple[str, str]] = field(default_factory=set)

    def begin(self, *, epoch: str, offset: int, personal: int) -> None:
        """A welcome that did not resume: its snapshot replaces everything."""
        self.segments.append(Segment(epoch, offset, personal))

    def draw(self, event: RoomEvent) -> None:
        now = self.segments[-1]
        assert (now.epoch, event.id) not in self.drawn, "drawn twice"
        self.drawn.add((now.epoch, event.id))
        if event.n is not None:
            now.numbers.append(event.n)
        if event.pn is not None:
            now.personal_numbers.append(event.pn)

    def check(self) -> None:
        reached: dict[str, tuple[int, int]] = {}
        for segment in self.segments:
            offset, personal = reached.get(segment.epoch, (0, 0))
            assert segment.offset >= offset, "a snapshot goes back"
            assert segment.personal >= personal, "a snapshot goes back"
            assert segment.numbers == _following(segment.offset, segment.numbers)
            assert segment.personal_numbers == _following(
                segment.personal, segment.personal_numbers
            )
            reached[segment.epoch] = segment.reached

    def has(self, *, epoch: str, numbers: int, personal: int) -> bool:
        now = self.segments[-1]
        return now.epoch == epoch and now.reached == (numbers, personal)


def _following(offset: int, numbers: list[int]) -> list[int]:
    return list(range(offset + 1, offset + 1 + len(numbers)))
