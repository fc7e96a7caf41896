"""Who may do what to whom: the table written down a second time."""

import pytest

from liveroom.domain.actors import Role
from liveroom.domain.ids import UserId
from liveroom.domain.moderation import (
    DAY_MS,
    POWERS,
    Act,
    Bar,
    ChatRules,
    Sanction,
    check_rules,
    is_keeper,
    permit,
    rank_of,
)
from liveroom.domain.refusals import Refused

MAY = {
    Role.VIEWER: "",
    Role.GUEST: "",
    Role.MODERATOR: "mute unmute kick delete_line review read_audit",
    Role.HOST: "mute unmute kick delete_line review read_audit ban unban set_rules set_words",
    Role.MERCHANT: "mute unmute kick delete_line review read_audit ban unban set_rules set_words",
    Role.ADMIN: "mute unmute kick delete_line review read_audit ban unban set_rules set_words",
}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("act", list(Act))
def test_who_may_do_what(role: Role, act: Act) -> None:
    if act.value in MAY[role].split():
        permit(role, act)
    else:
        with pytest.raises(Refused, match="forbidden"):
            permit(role, act)


def test_how_long_each_may() -> None:
    permit(Role.MODERATOR, Act.MUTE, ms=DAY_MS)
    with pytest.raises(Refused, match="24 hours"):
        permit(Role.MODERATOR, Act.MUTE, ms=DAY_MS + 1)
    permit(Role.HOST, Act.MUTE, ms=30 * DAY_MS)
    with pytest.raises(Refused, match="720 hours"):
        permit(Role.HOST, Act.MUTE, ms=30 * DAY_MS + 1)
    permit(Role.MERCHANT, Act.MUTE, ms=365 * DAY_MS)
    for ms in (0, -1, 365 * DAY_MS + 1):
        with pytest.raises(Refused, match="invalid"):
            permit(Role.ADMIN, Act.MUTE, ms=ms)


def test_a_sanction_binds_those_below_until_it_is_over() -> None:
    mute = Sanction(
        user=UserId("u"), bar=Bar.MUTE, until=100, rank=1, by=UserId("m"), reason="", at=0
    )
    assert mute.holds(at=99, role=Role.VIEWER)
    assert not mute.holds(at=100, role=Role.VIEWER)
    assert not mute.holds(at=0, role=Role.MODERATOR), "moderators cannot silence each other"
    assert (mute.left_ms(at=40), mute.left_ms(at=200)) == (60, 0)


def test_ranks_run_from_viewers_to_the_shop() -> None:
    assert set(POWERS) == set(Role)
    order = (Role.VIEWER, Role.MODERATOR, Role.HOST, Role.MERCHANT)
    assert [rank_of(role) for role in order] == [0, 1, 2, 3]
    assert [role for role in Role if not is_keeper(role)] == [Role.VIEWER, Role.GUEST]


@pytest.mark.parametrize("rules", [{"slow_ms": -1}, {"slow_ms": 600_001}, {"repeats": 101}])
def test_rules_out_of_bounds(rules: dict[str, int]) -> None:
    with pytest.raises(Refused, match="invalid"):
        check_rules(ChatRules(**rules))  # type: ignore[arg-type]
