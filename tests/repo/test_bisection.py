"""Halving finds the first bad commit of any history, in about as many steps as there are bits to its size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlver.repo.bisection import BAD, GOOD, SKIP, Bisection


def line(count: int) -> dict[int, tuple[int, ...]]:
    return {n: ((n - 1,) if n else ()) for n in range(count)}


def search(parents, bad, verdict):
    halving, steps = Bisection(parents, bad), 0
    while len(halving.left) > 1 and (one := halving.next()) is not None:
        halving.tell(one, verdict(one))
        steps += 1
    return halving.first_bad(), steps


@given(st.integers(1, 300), st.data())
def test_of_a_line_it_finds_the_first_bad_in_logarithmic_steps(count, data) -> None:
    first = data.draw(st.integers(0, count - 1))
    found, steps = search(line(count), count - 1, lambda n: BAD if n >= first else GOOD)
    assert found == [first]
    assert steps <= (count - 1).bit_length() + 1


@given(st.data())
def test_of_a_history_with_merges_it_finds_the_one_that_all_bad_ones_follow(data) -> None:
    count = data.draw(st.integers(1, 40))
    parents = {0: ()}
    for n in range(1, count):
        parents[n] = tuple(data.draw(st.sets(st.integers(0, n - 1), min_size=1, max_size=2)))
    first = data.draw(st.integers(0, count - 1))
    after = {first}
    for n in range(first + 1, count):
        if after & set(parents[n]):
            after.add(n)
    bad = max(after)
    reachable, pending = set(), [bad]
    while pending:
        n = pending.pop()
        if n not in reachable:
            reachable.add(n)
            pending += parents[n]
    found, _ = search({n: parents[n] for n in reachable}, bad, lambda n: BAD if n in after else GOOD)
    assert found == [first]


@given(st.integers(2, 60), st.data())
def test_what_cannot_be_tried_leaves_open_only_what_it_must(count, data) -> None:
    first = data.draw(st.integers(0, count - 1))
    skipped = data.draw(st.sets(st.integers(0, count - 2)))
    found, _ = search(line(count), count - 1, lambda n: SKIP if n in skipped else BAD if n >= first else GOOD)
    assert first in found
    assert all(n in skipped for n in found[:-1])


def test_thousands_of_commits_are_no_burden() -> None:
    found, steps = search(line(5000), 4999, lambda n: BAD if n >= 1234 else GOOD)
    assert (found, steps <= 14) == ([1234], True)


def test_places_follow_history_and_not_names() -> None:
    search = Bisection({"z": ["base"], "a": ["z"], "m": ["a"]}, "m")
    assert sorted(["m", "a", "base", "z"], key=search.place) == ["base", "z", "a", "m"]
