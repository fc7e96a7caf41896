"""Sockets are counted per user and address; rates outlive a socket for a while."""

from liveroom.domain.ids import TenantId, UserId
from liveroom.edge.callers import FORGET_AFTER_S, Callers, GatewayLimits
from liveroom.protocol.limits import Kind

MING = (TenantId("shop"), UserId("ming"))


def callers(**limits: int) -> Callers:
    return Callers(GatewayLimits(**limits), now=0)


def test_a_user_has_so_many_sockets_and_one_allowance() -> None:
    counted = callers(sockets_per_user=2)
    first, second = counted.enter(MING, now=0), counted.enter(MING, now=0)
    assert first is not None
    assert first is second
    assert counted.enter(MING, now=0) is None
    counted.leave(MING, now=1)
    assert counted.enter(MING, now=1) is first


def test_the_same_id_in_another_shop_is_somebody_else() -> None:
    counted = callers(sockets_per_user=1)
    assert counted.enter(MING, now=0) is not None
    assert counted.enter((TenantId("other"), UserId("ming")), now=0) is not None


def test_reconnecting_buys_no_fresh_rate_but_a_long_absence_does() -> None:
    counted = callers()
    allowance = counted.enter(MING, now=0)
    assert allowance is not None
    allowance.admit(Kind.SAY, now=0)
    counted.leave(MING, now=0)
    assert counted.enter(MING, now=FORGET_AFTER_S - 1) is allowance
    counted.leave(MING, now=FORGET_AFTER_S)
    assert counted.enter(MING, now=FORGET_AFTER_S * 3) is not allowance


def test_who_is_connected_is_never_forgotten() -> None:
    counted = callers()
    allowance = counted.enter(MING, now=0)
    assert counted.enter(MING, now=FORGET_AFTER_S * 9) is allowance


def test_addresses_are_counted_and_forgotten() -> None:
    counted = callers(sockets_per_address=2)
    assert counted.connect("a")
    assert counted.connect("a")
    assert not counted.connect("a")
    assert counted.connect("b")
    counted.disconnect("a")
    counted.disconnect("a")
    assert counted.connect("a")


def test_accepts_are_limited_a_second() -> None:
    counted = callers(accepts_per_s=3)
    assert [counted.may_accept(now=0) for _ in range(4)] == [True, True, True, False]
    assert counted.may_accept(now=0.5)
