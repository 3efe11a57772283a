"""What `frozen` makes behaves as a frozen dataclass of the standard library does."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.frozen import frozen

ROOT = Path(__file__).resolve().parents[2]
Decorator = Callable[[type[Any]], type[Any]]


def family(made: Decorator) -> tuple[type[Any], type[Any]]:
    """Return a class with all that ours use, and one that inherits from it."""

    @made
    class Base:
        """A base."""

        schema: ClassVar[str] = "x/v1"
        name: str
        tags: tuple[str, ...] = ()
        seen: dict[str, int] = field(default_factory=dict, compare=False)
        hidden: int = field(default=0, repr=False)

        @cached_property
        def length(self) -> int:
            return len(self.name)

    @made
    class Child(Base):
        more: float = 1.0

        def __post_init__(self) -> None:
            if self.more < 0:
                raise ValueError("negative")

    for cls in (Base, Child):
        cls.__qualname__ = cls.__name__
    return Base, Child


OURS, THEIRS = family(frozen), family(dataclasses.dataclass(frozen=True))
values = st.tuples(st.text(max_size=2), st.tuples(st.text(max_size=1)), st.just({}), st.integers(0, 1))


@given(values, values, st.integers(1, 4), st.integers(0, 1))
def test_equality_hash_and_repr_are_those_of_a_dataclass(one: Any, two: Any, count: int, which: int) -> None:
    ours, theirs = OURS[which], THEIRS[which]
    a, b, c, d = ours(*one[:count]), ours(*two[:count]), theirs(*one[:count]), theirs(*two[:count])
    assert (a == b, a != b, a == 1, a == c) == (c == d, c != d, False, False)
    assert hash(a) == hash(c) and repr(a) == repr(c)
    assert dataclasses.asdict(a) == dataclasses.asdict(c)
    assert [f.name for f in dataclasses.fields(a)] == [f.name for f in dataclasses.fields(c)]
    assert ours.__match_args__ == theirs.__match_args__ and ours.__doc__ is not None


@pytest.mark.parametrize("made", [frozen, dataclasses.dataclass(frozen=True)])
def test_what_a_dataclass_does(made: Decorator) -> None:
    base, child = family(made)
    assert base("a") != child("a") and base("a").schema == "x/v1"
    one = base("a")
    assert one.seen is not base("a").seen and one.length == 1 and one == base("a")
    assert dataclasses.replace(one, name="bc") == base("bc") and dataclasses.replace(one, name="bc").length == 2
    assert copy.copy(one) == one == copy.deepcopy(one)
    for act in (lambda: setattr(one, "name", "b"), lambda: delattr(one, "name"), lambda: setattr(one, "new", 1)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            act()
    wrong: list[tuple[str, Callable[[], object]]] = [
        ("argument:? 'name'", base),
        ("unexpected keyword argument 'other'", lambda: base("a", other=1)),
        ("positional arguments", lambda: base("a", (), {}, 1, 2)),
        ("multiple values for argument 'name'", lambda: base("a", name="a")),
        ("argument:? 'name'", lambda: child(more=1.0, tags=())),
    ]
    for said, act in wrong:
        with pytest.raises(TypeError, match=said):
            act()
    with pytest.raises(ValueError, match="negative"):
        child("a", more=-1.0)


@frozen
class Own:
    """One that has its own idea of being equal."""

    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own)

    def __hash__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "own"


def test_methods_of_the_class_itself_stay() -> None:
    assert Own("a") == Own("b") and repr(Own("a")) == "own"
    assert hash(Own("a")) == 7


def test_no_code_is_compiled_for_a_class() -> None:
    script = """
import sys
from mlver.frozen import frozen
seen = []
sys.addaudithook(lambda event, args: seen.append(event) if event in ("compile", "exec") else None)
class A:
    "A class."
    a: int
    b: str = "x"
made = [frozen(A)(1) for _ in range(100)]
assert made[0] == made[1] and hash(made[0]) and repr(made[0]), made
print(seen)
"""
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == b"[]"


def test_what_was_never_made_yet_travels_to_another_process() -> None:
    from mlver.objects.tree import Tree
    from mlver.verbs.gc_result import PathBytes

    data = pickle.dumps((PathBytes("a", 1), Tree(())))
    read = "import pickle, sys; a, b = pickle.loads(sys.stdin.buffer.read()); print(a.path, a.bytes, b.entries)"
    done = subprocess.run([sys.executable, "-c", read], input=data, capture_output=True, check=True)
    assert done.stdout.split() == [b"a", b"1", b"()"]
