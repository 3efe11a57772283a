"""From what a model file holds to its units: dotted path -> value.

Order of dicts and sets, sharing of objects, and whether a sequence was a list or a tuple make no
difference; everything else in the file shows up in a unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.models import scalars
from mlver.kinds.models.arrays import ArrayData, describe
from mlver.kinds.models.limits import MAX_DEPTH, MAX_PATH_TEXT, MAX_UNITS
from mlver.kinds.models.paths import ROOT_CLASS, ROOT_VALUE, join, key_text
from mlver.kinds.models.values import Call, Group, Pairs, Symbol

_VERSION: Final = "_sklearn_version"


@dataclass(frozen=True)
class _Place:
    """Where a part sits: its path, what it is inside of, and the library version said there."""

    path: str
    thing: Any
    above: _Place | None = None
    depth: int = 0
    version: Any = None


class Walker:
    """Collects the units and arrays under one or more roots."""

    def __init__(self) -> None:
        self.units: dict[str, Value] = {}
        self.arrays: dict[str, ArrayData] = {}
        self._known: dict[int, Value] = {}
        self._keep: list[Any] = []
        self._text = 0

    def walk(self, root: Any, path: str = "") -> None:
        """Add the units of `root` under `path`; Unreadable when they are too many or too deep."""
        todo = [_Place(path, root)]
        while todo:
            place = todo.pop()
            if place.depth > MAX_DEPTH:
                raise Unreadable(f"nested more than {MAX_DEPTH} levels deep")
            loop = self._loop(place)
            if loop is not None:
                self._put(place.path or ROOT_VALUE, {"same as": loop or "the model"})
                continue
            children = list(self._visit(place))
            todo.extend(reversed(children))

    def _loop(self, place: _Place) -> str | None:
        if not isinstance(place.thing, (list, dict, Pairs, Call, tuple)):
            return None
        above = place.above
        while above is not None:
            if above.thing is place.thing and place.thing != ():
                return above.path
            above = above.above
        return None

    def _put(self, path: str, value: Value) -> None:
        count = 2
        name = path
        while name in self.units:  # a key given twice, or a file made to clash: show both
            name = f"{path}~{count}"
            count += 1
        self._text += len(name)
        if len(self.units) >= MAX_UNITS or self._text > MAX_PATH_TEXT:
            raise Unreadable(f"more than {MAX_UNITS:,} parts")
        self.units[name] = value

    def _once(self, thing: Any, make: Any) -> Value:
        # a part that is met again and again through sharing is worked out once
        if id(thing) not in self._known:
            self._known[id(thing)] = make(thing)
            self._keep.append(thing)
        return self._known[id(thing)]

    def _visit(self, place: _Place) -> Iterable[_Place]:
        thing = place.thing.value if isinstance(place.thing, Call) and place.thing.value is not None else place.thing
        if isinstance(thing, ArrayData):
            return self._array(place, thing)
        if isinstance(thing, Call):
            return self._object(place, thing)
        if isinstance(thing, dict) and thing:
            return [self._child(place, key_text(key), value) for key, value in thing.items()]
        if isinstance(thing, Pairs) and thing.pairs:
            return [self._child(place, step, value) for step, value in _entries(thing.pairs)]
        if isinstance(thing, (list, tuple)):
            return self._sequence(place, thing)
        if isinstance(thing, Group):
            return self._group(place, thing)
        self._put(
            place.path or ROOT_VALUE,
            self._once(thing, scalars.value_of) if scalars.is_long(thing) else scalars.value_of(thing),
        )
        return ()

    def _child(self, place: _Place, step: str, thing: Any, version: Any = None) -> _Place:
        return _Place(
            join(place.path, step), thing, place, place.depth + 1, version if version is not None else place.version
        )

    def _array(self, place: _Place, array: ArrayData) -> Iterable[_Place]:
        path = place.path or ROOT_VALUE
        self.arrays[path] = array
        if array.objects is None:
            self._put(path, self._once(array, describe))
            return ()
        value, plain = self._once(array, scalars.objects_value)
        self._put(path, value)
        if plain:
            return ()
        del self.arrays[path]
        return [
            self._child(place, step, member) for step, member in zip(_indices(array.shape), array.objects, strict=False)
        ]

    def _sequence(self, place: _Place, thing: Any) -> Iterable[_Place]:
        names = _names(thing)
        if names is not None:
            self._put(place.path or ROOT_VALUE, names)
            return [
                self._child(place, key_text(entry[0]) if at == 1 else f"{key_text(entry[0])}.__columns__", entry[at])
                for entry in thing for at in range(1, len(entry))
            ]  # fmt: skip
        plain = self._once(thing, scalars.plain_list)
        if plain is not scalars.NOT_PLAIN:
            self._put(place.path or ROOT_VALUE, plain)
            return ()
        return [self._child(place, str(index), member) for index, member in enumerate(thing)]

    def _group(self, place: _Place, thing: Group) -> Iterable[_Place]:
        plain = self._once(thing, scalars.plain_set)
        if plain is not scalars.NOT_PLAIN:
            self._put(place.path or ROOT_VALUE, plain)
            return ()
        return [self._child(place, str(index), member) for index, member in enumerate(thing.members)]

    def _object(self, place: _Place, call: Call) -> Iterable[_Place]:
        attributes, rest = _state(call)
        version = attributes.get(_VERSION)
        inline = scalars.inline_args(call)
        value: dict[str, Value] = {"class": call.name}
        children = []
        if inline is not None:
            value |= inline
        else:
            children += [(f"__args__.{index}", argument) for index, argument in enumerate(call.args)]
            children += [
                (f"__kwargs__.{step}", part) for step, part in _entries(call.kwargs.pairs if call.kwargs else [])
            ]
        self._put(place.path or ROOT_CLASS, value)
        if not isinstance(call.callee, Symbol):
            children.append(("__callee__", call.callee))
        said = isinstance(version, str) and version == place.version  # said once, where it begins to hold
        children += [(key_text(key), part) for key, part in attributes.items() if not (said and key == _VERSION)]
        children += [(f"__state__.{index}" if index else "__state__", state) for index, state in enumerate(rest)]
        children += _entries(call.items)
        children += [(str(index), part) for index, part in enumerate(call.elements)]
        return [
            self._child(place, step, part, version if isinstance(version, str) else None) for step, part in children
        ]


def _entries(pairs: list[tuple[Any, Any]]) -> list[tuple[str, Any]]:
    steps = [(scalars.step_of(key), key, value) for key, value in pairs]
    return [
        (step, value) if step is not None else (f"__items__.{index}", (key, value))
        for index, (step, key, value) in enumerate(steps)
    ]


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
