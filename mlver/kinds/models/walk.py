"""From what a model file holds to its units: dotted path -> value.

Order of dicts and sets, sharing of objects, and whether a sequence was a list or a tuple make no
difference; everything else in the file shows up in a unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

from mlver.frozen import frozen
from mlver.kinds.base import Unreadable, Value
from mlver.kinds.models.arrays import ArrayData, describe
from mlver.kinds.models.limits import MAX_DEPTH, MAX_PATH_TEXT, MAX_UNITS, SHARED_PARTS, SHARED_RATIO
from mlver.kinds.models.paths import ROOT_CLASS, ROOT_VALUE, join, key_text
from mlver.kinds.models.scalars import NOT_PLAIN, Plain, clean, is_scalar
from mlver.kinds.models.values import Call, Group, Pairs, Symbol

_VERSION: Final = "_sklearn_version"


@frozen
class Place:
    """Where a part sits: its path, what it is inside of, and the library version said there."""

    path: str
    thing: Any
    above: Place | None = None
    depth: int = 0
    version: Any = None


class Walker:
    """Collects the units and arrays under one or more roots."""

    def __init__(self) -> None:
        self.units: dict[str, Value] = {}
        self.arrays: dict[str, ArrayData] = {}
        self._plain = Plain()
        self._clashes: dict[str, int] = {}
        self._text = 0
        self._met: dict[int, Any] = {}  # what has parts, by id; held, so that its id stays its own
        self._count = self._again = 0

    def walk(self, root: Any, path: str = "") -> None:
        """Add the units of `root` under `path`; Unreadable when they are too many or too deep."""
        todo: list[Iterator[Place]] = [iter((Place(path, root),))]
        while todo:
            place = next(todo[-1], None)
            if place is None:
                todo.pop()
                continue
            if place.depth > MAX_DEPTH:
                raise Unreadable(f"nested more than {MAX_DEPTH} levels deep")
            loop = _loop(place)
            if loop is not None:
                self.put(place.path or ROOT_VALUE, {"same as": loop or "the model"})
                continue
            self._meet(place.thing)
            todo.append(iter(self._visit(place)))

    def _meet(self, thing: Any) -> None:
        """Count a visit; Unreadable when few things, each in many others, stand for parts without end."""
        if is_scalar(thing):
            return
        self._again += self._met.setdefault(id(thing), thing) is thing and len(self._met) == self._count
        self._count = len(self._met)
        if self._again > SHARED_PARTS and self._again > SHARED_RATIO * self._count:
            raise Unreadable(f"{self._count} things stand for more than {self._again:,} parts")

    def put(self, path: str, value: Value) -> str:
        """Add a unit and return its key: `path`, or with a number when a file gives the same path again."""
        while path in self.units:
            count = self._clashes[path] = self._clashes.get(path, 1) + 1
            path = f"{path}~{count}"
        self._text += len(path)
        if len(self.units) >= MAX_UNITS or self._text > MAX_PATH_TEXT:
            raise Unreadable(f"more than {MAX_UNITS:,} parts")
        self.units[path] = value
        return path

    def _visit(self, place: Place) -> Iterable[Place]:
        thing = place.thing.value if isinstance(place.thing, Call) and place.thing.value is not None else place.thing
        if isinstance(thing, ArrayData):
            return self._array(place, thing)
        if isinstance(thing, Call):
            return self._object(place, thing)
        if isinstance(thing, (list, tuple)):
            names = _names(thing)
            return self._sequence(place, thing) if names is None else self._named(place, names, thing)
        if isinstance(thing, (dict, Pairs)):
            pairs = thing.pairs if isinstance(thing, Pairs) else list(thing.items())
            value = self._plain.once(thing, lambda _: self._plain.mapping(pairs)) if pairs else {}
            children = self._entries(pairs)
        elif isinstance(thing, Group):
            value = self._plain.once(thing, self._plain.group)
            children = ((str(index), member) for index, member in enumerate(thing.members))
        else:
            value, children = self._plain.scalar(thing), iter(())
        if value is NOT_PLAIN:
            return self._children(place, children)
        self.put(place.path or ROOT_VALUE, value)
        return ()

    def _children(self, place: Place, parts: Iterable[tuple[str, Any]], version: Any = None) -> Iterator[Place]:
        version = version if version is not None else place.version
        return (Place(join(place.path, step), part, place, place.depth + 1, version) for step, part in parts)

    def _entries(self, pairs: list[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
        for index, (key, value) in enumerate(pairs):
            step = self._plain.step(key)
            yield (step, value) if step is not None else (f"__items__.{index}", (key, value))

    def _array(self, place: Place, array: ArrayData) -> Iterable[Place]:
        path = place.path or ROOT_VALUE
        if array.objects is None:
            self.arrays[self.put(path, self._plain.once(array, describe))] = array
            return ()
        value, whole = self._plain.once(array, self._plain.objects)
        path = self.put(path, value)
        if whole:
            self.arrays[path] = array
            return ()
        return self._children(place, zip(_indices(array.shape), array.objects, strict=False))

    def _named(self, place: Place, names: list[str], entries: Any) -> Iterable[Place]:
        self.put(place.path or ROOT_VALUE, [clean(name) for name in names])  # their order counts
        parts = ((key_text(name), entry[1:]) for name, entry in zip(names, entries, strict=True))
        return self._children(
            place,
            ((f"{step}.__columns__" if at else step, part) for step, rest in parts for at, part in enumerate(rest)),
        )

    def _sequence(self, place: Place, thing: Any) -> Iterable[Place]:
        value = self._plain.once(thing, self._plain.sequence)
        if value is NOT_PLAIN:
            return self._children(place, ((str(index), member) for index, member in enumerate(thing)))
        self.put(place.path or ROOT_VALUE, value)
        return ()

    def _object(self, place: Place, call: Call) -> Iterable[Place]:
        attributes, rest = _state(call)
        version = attributes.get(_VERSION)
        inline = self._plain.inline(call)
        self.put(place.path or ROOT_CLASS, {"class": clean(call.name)} | (inline or {}))
        parts: list[Iterable[tuple[str, Any]]] = []
        if inline is None:
            keywords = self._entries(call.kwargs.pairs) if call.kwargs else ()
            parts.append((f"__args__.{index}", argument) for index, argument in enumerate(call.args))
            parts.append((f"__kwargs__.{step}", part) for step, part in keywords)
        if not isinstance(call.callee, Symbol):
            parts.append([("__callee__", call.callee)])
        if isinstance(version, str) and version == place.version:
            del attributes[_VERSION]  # said once, where it begins to hold
        parts.append(self._entries(list(attributes.items())))
        parts.append((f"__state__.{index}" if index else "__state__", state) for index, state in enumerate(rest))
        parts.append(self._entries(call.items))
        parts.append((str(index), part) for index, part in enumerate(call.elements))
        return self._children(place, chain.from_iterable(parts), version if isinstance(version, str) else None)


def _loop(place: Place) -> str | None:
    """Return the path of the thing at `place` when it is inside of itself, else None."""
    if not isinstance(place.thing, (list, dict, Pairs, Call, tuple)):
        return None
    above = place.above
    while above is not None:
        if above.thing is place.thing and place.thing != ():
            return above.path
        above = above.above
    return None


def _state(call: Call) -> tuple[dict[str, Any], list[Any]]:
    """Return the attributes of an object, and what of its state is not attributes."""
    if len(call.states) != 1:
        return {}, call.states
    state = call.states[0]
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    attributes: dict[str, Any] = {}
    for part in parts:
        if part is None and len(parts) == 2:
            continue
        named = part.named() if isinstance(part, Pairs) else {}
        if not isinstance(part, Pairs) or len(named) != len(part.pairs) or attributes.keys() & named.keys():
            return {}, call.states
        attributes |= named
    return attributes, []


def _names(thing: Any) -> list[str] | None:
    """Return the names of a list such as a pipeline's steps, [(name, estimator), ...], else None."""
    entries = [
        entry for entry in thing if isinstance(entry, tuple) and len(entry) in (2, 3) and isinstance(entry[0], str)
    ]
    if not entries or len(entries) != len(thing) or not any(_made(entry[1]) for entry in entries):
        return None
    names = [entry[0] for entry in entries]
    if not all(_made(entry[1]) or entry[1] is None or isinstance(entry[1], (str, Symbol)) for entry in entries):
        return None
    return names if len(set(names)) == len(names) and all(0 < len(name) <= 200 for name in names) else None


def _made(thing: Any) -> bool:
    return isinstance(thing, Call) and thing.value is None


def _indices(shape: tuple[int, ...]) -> Iterable[str]:
    count = 1
    for size in shape:
        count *= size
    for flat in range(count):
        steps = []
        for size in reversed(shape):
            flat, at = divmod(flat, size)
            steps.append(str(at))
        yield ".".join(reversed(steps)) or "0"
