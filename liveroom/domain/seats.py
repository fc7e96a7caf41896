"""The stage of a room: who stands where, who waits for the mic, who may publish (连麦).

A viewer asks (queued), the host accepts (seated on a free slot, or next in line when all are
taken), the guest publishes, and leaves or is taken down; then the next in line moves up. The
host may also seat somebody who never asked, mute a slot, or change places with a guest.
Everything here is a pure function from a stage to the next one; times are UTC milliseconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from liveroom.domain.events import Asked, Slot, Standing
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.refusals import Refused

HOST_SLOT: Final = 0
"""Where the host stands unless they change places; guests stand on 1 and up."""
SEATS_DEFAULT: Final = 4
SEATS_MAX: Final = 8
"""As many guests as a viewer's player has places for."""
QUEUE_MAX: Final = 50
"""People waiting for the mic; further ones are refused with `queue_full`."""
UNUSED_MS_MAX: Final = 60_000
"""A seat on which nobody publishes, or no longer, for so long is given to the next."""


class Calling(StrEnum):
    """Where a private call (room → 1v1) is."""

    INVITED = "invited"
    ACTIVE = "active"


CALL_INVITED_MS_MAX: Final = 30_000
"""An invitation to a private call that nobody accepts ends after so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A private call of the host with one viewer.

    `since` is when this phase began, or when the viewer's media began or stopped (`live`).
    """

    user: UserId
    name: str
    phase: Calling
    since: int
    live: bool = False

    def is_over(self, *, at: int) -> bool:
        """Whether nobody took it, or the viewer has been gone, for too long."""
        most = CALL_INVITED_MS_MAX if self.phase is Calling.INVITED else UNUSED_MS_MAX
        return not self.live and at - self.since >= most


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Who stands where; `session` is the host's media session, None while they are away."""

    slots: tuple[Slot, ...] = ()
    session: str | None = None
    queue: tuple[Asked, ...] = ()
    seats: int = SEATS_DEFAULT
    call: Call | None = field(default=None)

    def at(self, slot: int) -> Slot | None:
        """Return who stands on a slot."""
        return next((place for place in self.slots if place.slot == slot), None)

    def of(self, user: UserId) -> Slot | None:
        """Return where somebody of this room stands."""
        return next(
            (s for s in self.slots if s.user == user and s.role is not Standing.RIVAL), None
        )

    @property
    def host(self) -> Slot | None:
        """The host's place."""
        return next((place for place in self.slots if place.role is Standing.HOST), None)

    @property
    def private(self) -> bool:
        """Whether the host is in a private call now."""
        return self.call is not None and self.call.phase is Calling.ACTIVE

    def asked(self, user: UserId) -> Asked | None:
        """Return how somebody waits."""
        return next((asked for asked in self.queue if asked.user == user), None)

    def position(self, user: UserId) -> int | None:
        """Return somebody's place in the queue, from 1."""
        users = [asked.user for asked in self.queue]
        return users.index(user) + 1 if user in users else None


# The host.


def seat_host(stage: Stage, *, user: UserId, name: str, session: str) -> Stage:
    """Let the host stand where they stood, else on the main place; guests stay."""
    before = stage.host
    slot = before.slot if before is not None else HOST_SLOT
    host = Slot(slot=slot, user=user, name=name, live=True)
    others = [place for place in stage.slots if place is not before and place.slot != slot]
    return replace(stage, slots=_ordered([host, *others]), session=session)


def host_left(stage: Stage, *, session: str) -> Stage | None:
    """Show the slate; None when another session has taken over meanwhile."""
    if stage.session != session:
        return None
    return replace(stage, slots=_mapped(stage, _away_host), session=None)


def closed(stage: Stage) -> Stage:
    """Clear the stage at the end of a broadcast; how many seats there are stays."""
    return Stage(seats=stage.seats)


def interrupted(stage: Stage, *, at: int) -> Stage:
    """After a restart nobody's media flows any more; seats are kept for who comes back."""
    slots = tuple(
        replace(place, live=False, since=at) if place.role is Standing.GUEST else place
        for place in stage.slots
    )
    return replace(stage, slots=slots, call=None)


# Waiting for the mic.


def ask(stage: Stage, *, user: UserId, name: str, tier: str, first: bool, at: int) -> Stage:
    """Queue somebody; `first` puts them before all who have no such right."""
    if stage.of(user) is not None:
        raise Refused("on_stage")
    if stage.asked(user) is not None:
        return stage
    if len(stage.queue) >= QUEUE_MAX:
        raise Refused("queue_full")
    asked = Asked(user=user, name=name, tier=tier, at=at, first=first)
    return replace(stage, queue=_in_line([*stage.queue, asked]))


def withdraw(stage: Stage, user: UserId) -> Stage:
    """Take somebody out of the queue; again is harmless."""
    return replace(stage, queue=tuple(a for a in stage.queue if a.user != user))


def accept(stage: Stage, user: UserId, *, at: int) -> Stage:
    """Seat somebody who waits on the first free slot; when none is, they are next in line."""
    asked = stage.asked(user)
    if asked is None:
        raise Refused("not_asked")
    slot = _free(stage)
    if slot is not None:
        return seat(stage, slot, user=user, name=asked.name, at=at)
    accepted = [replace(a, accepted=True) if a is asked else a for a in stage.queue]
    return replace(stage, queue=_in_line(accepted))


# Seats.


def seat(stage: Stage, slot: int, *, user: UserId, name: str, at: int) -> Stage:
    """Seat a guest on a slot; who sits already moves there."""
    _check_slot(stage, slot)
    there, before = stage.at(slot), stage.of(user)
    if there is not None and there.user == user and there.role is Standing.GUEST:
        return stage
    if there is not None:
        raise Refused("slot_taken")
    if before is not None and before.role is Standing.HOST:
        raise Refused("invalid", "The host has a place already.")
    if before is not None:
        moved = [replace(p, slot=slot) if p is before else p for p in stage.slots]
        return replace(stage, slots=_ordered(moved))
    guest = Slot(slot=slot, user=user, name=name, live=False, role=Standing.GUEST, since=at)
    return replace(withdraw(stage, user), slots=_ordered([*stage.slots, guest]))


def to_main(stage: Stage, user: UserId) -> Stage:
    """Let somebody on stage change places with who stands on the main one."""
    mine = stage.of(user)
    if mine is None:
        raise Refused("no_seat", "Only somebody on stage can take the main place.")

    def swapped(place: Slot) -> Slot:
        if place is mine:
            return replace(place, slot=HOST_SLOT)
        return replace(place, slot=mine.slot) if place.slot == HOST_SLOT else place

    return replace(stage, slots=_mapped(stage, swapped))


def mute(stage: Stage, slot: int, *, audio: bool, video: bool) -> Stage:
    """Let a slot be heard and seen, or not."""
    if slot != HOST_SLOT:
        _check_slot(stage, slot)
    if stage.at(slot) is None:
        raise Refused("no_such_slot", "Nobody stands on that slot.")
    return replace(
        stage,
        slots=_mapped(
            stage, lambda p: replace(p, audio=audio, video=video) if p.slot == slot else p
        ),
    )


def take_down(stage: Stage, slot: int, *, at: int) -> Stage:
    """Free a slot; the host returns to the main one if that was it, the next in line moves up."""
    if slot != HOST_SLOT:
        _check_slot(stage, slot)
    there = stage.at(slot)
    if there is None:
        return stage
    if there.role is Standing.HOST:
        raise Refused("invalid", "The host ends by ending the broadcast.")
    left = replace(stage, slots=tuple(p for p in stage.slots if p is not there))
    if slot == HOST_SLOT and left.host is not None:
        home = left.host
        left = replace(
            left, slots=_mapped(left, lambda p: replace(p, slot=HOST_SLOT) if p is home else p)
        )
    return promote(left, at=at)


def leave(stage: Stage, user: UserId, *, at: int) -> Stage:
    """Let a guest go of their own will, or stop waiting."""
    mine = stage.of(user)
    if mine is None or mine.role is not Standing.GUEST:
        return withdraw(stage, user)
    return take_down(stage, mine.slot, at=at)


def resize(stage: Stage, seats: int, *, at: int) -> Stage:
    """Change how many guests there may be; who sits beyond that stays until they leave."""
    if not 0 <= seats <= SEATS_MAX:
        raise Refused("invalid", f"A room has from 0 to {SEATS_MAX} seats.")
    return promote(replace(stage, seats=seats), at=at)


def promote(stage: Stage, *, at: int) -> Stage:
    """Seat those who were accepted while no seat was free."""
    for asked in stage.queue:
        slot = _free(stage)
        if slot is None or not asked.accepted:
            break
        stage = seat(stage, slot, user=asked.user, name=asked.name, at=at)
    return stage


def guest_changed(stage: Stage, user: UserId, *, live: bool, at: int) -> Stage:
    """Note that a guest's media flows, or does not any more."""
    call = stage.call
    if call is not None and call.user == user and stage.private:
        stage = replace(stage, call=replace(call, live=live, since=at))
    mine = stage.of(user)
    if mine is None or mine.role is not Standing.GUEST or mine.live == live:
        return stage
    changed = replace(mine, live=live, since=at)
    return replace(stage, slots=_mapped(stage, lambda p: changed if p is mine else p))


def expire(stage: Stage, *, at: int) -> Stage:
    """Free the seats that have been of no use for too long; end a call that nobody is in."""
    for place in stage.slots:
        is_idle = place.role is Standing.GUEST and not place.live
        if is_idle and at - place.since >= UNUSED_MS_MAX:
            stage = leave(stage, place.user, at=at)
    if stage.call is not None and stage.call.is_over(at=at):
        stage = hang_up(stage)
    return stage


# The other room's host.


def show_rival(stage: Stage, slot: int, *, room: RoomId, user: UserId, name: str) -> Stage:
    """Show another room's host on a slot that is free."""
    _check_slot(stage, slot)
    if stage.at(slot) is not None:
        raise Refused("slot_taken")
    rival = Slot(slot=slot, user=user, name=name, live=True, role=Standing.RIVAL, room=room)
    return replace(stage, slots=_ordered([*stage.slots, rival]))


def drop_rival(stage: Stage, room: RoomId, *, at: int) -> Stage:
    """Show another room's host no more."""
    kept = tuple(place for place in stage.slots if place.room != room)
    return promote(replace(stage, slots=kept), at=at) if kept != stage.slots else stage


# A private call.


def invite(stage: Stage, *, user: UserId, name: str, at: int) -> Stage:
    """Invite a viewer to a private call."""
    host = stage.host
    if host is None or not host.live:
        raise Refused("not_live")
    if stage.call is not None:
        raise Refused("in_call")
    if user == host.user:
        raise Refused("invalid", "Nobody calls themselves.")
    if any(place.role is Standing.RIVAL for place in stage.slots):
        raise Refused("in_pk")
    call = Call(user=user, name=name, phase=Calling.INVITED, since=at)
    return replace(stage, call=call)


def answer(stage: Stage, user: UserId, *, at: int) -> Stage:
    """Accept the invitation; again is harmless."""
    call = stage.call
    if call is None or call.user != user:
        raise Refused("no_call")
    if call.phase is Calling.ACTIVE:
        return stage
    mine = stage.of(user)
    live = mine is not None and mine.live
    return replace(stage, call=replace(call, phase=Calling.ACTIVE, since=at, live=live))


def hang_up(stage: Stage, user: UserId | None = None) -> Stage:
    """End the call or its invitation; with `user`, only if it is theirs or the host's."""
    call, host = stage.call, stage.host
    if call is None:
        return stage
    if user is not None and user not in (call.user, host.user if host else None):
        raise Refused("no_call")
    return replace(stage, call=None)


def may_publish(stage: Stage, user: UserId) -> bool:
    """Whether somebody who is not the host may send media: they sit, or are in the call."""
    mine = stage.of(user)
    seated = mine is not None and mine.role is Standing.GUEST
    return seated or (stage.private and stage.call is not None and stage.call.user == user)


def _check_slot(stage: Stage, slot: int) -> None:
    if not 1 <= slot <= max(stage.seats, max((p.slot for p in stage.slots), default=0)):
        raise Refused("no_such_slot")


def _free(stage: Stage) -> int | None:
    taken = {place.slot for place in stage.slots}
    free = (slot for slot in range(1, stage.seats + 1) if slot not in taken)
    return next(free, None)


def _in_line(queue: list[Asked]) -> tuple[Asked, ...]:
    """Order who waits: accepted first, then who has the right, then who came first."""
    return tuple(sorted(queue, key=lambda a: (not a.accepted, not a.first, a.at)))


def _ordered(slots: list[Slot]) -> tuple[Slot, ...]:
    return tuple(sorted(slots, key=lambda place: place.slot))


def _mapped(stage: Stage, change: Callable[[Slot], Slot]) -> tuple[Slot, ...]:
    return _ordered([change(place) for place in stage.slots])


def _away_host(place: Slot) -> Slot:
    return replace(place, live=False) if place.role is Standing.HOST else place
