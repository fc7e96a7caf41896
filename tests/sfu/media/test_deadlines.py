"""The heap of what is due."""

from hypothesis import given
from hypothesis import strategies as st

from sfu.media.deadlines import Deadlines

moments = st.integers(0, 20).map(float)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("set"), st.integers(0, 5), st.none() | moments),
            st.tuples(st.just("pull"), st.integers(0, 5), moments),
            st.tuples(st.just("take"), st.just(0), moments),
        ),
        max_size=200,
    )
)
def test_it_behaves_like_a_table(steps):
    deadlines, table = Deadlines(), {}
    for verb, owner, at in steps:
        if verb == "take":
            taken = deadlines.take(now=at)
            assert [table[o] for o in taken] == sorted(m for m in table.values() if m <= at)
            table = {o: m for o, m in table.items() if m > at}
        elif verb == "set":
            deadlines.set(owner, at)
            table.pop(owner, None)
            if at is not None:
                table[owner] = at
        else:
            deadlines.pull(owner, at)
            table[owner] = min(at, table.get(owner, at))
        assert deadlines.earliest() == min(table.values(), default=None)


def test_moving_one_owner_for_ever_does_not_grow_it():
    deadlines = Deadlines()
    for n in range(100_000, 90_000, -1):
        deadlines.set("one", float(n))
    assert len(deadlines._heap) <= 100
