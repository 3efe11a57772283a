"""The units of PyTorch files: names of tensors are dotted paths already, and OrderedDicts are dicts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

import blake3

from mlver.kinds.models.values import Call, Group, Pairs
from mlver.kinds.models.walk import Place, Walker

ORDERED: Final = "collections.OrderedDict"
_METADATA: Final = "_metadata"
_INSIDE: Final = {"_parameters", "_buffers", "_modules"}


def entries(thing: Any) -> list[tuple[Any, Any]] | None:
    """Return the pairs of a dict or of an OrderedDict without attributes but `_metadata`, else None."""
    if isinstance(thing, Pairs):
        return thing.pairs
    if not isinstance(thing, Call) or thing.name != ORDERED or thing.args or thing.kwargs or thing.elements:
        return None
    return thing.items if _metadata(thing) is not None else None


def _metadata(call: Call) -> list[Any] | None:
    """Return the `_metadata` of a state dict as a list of at most one; None when there are other attributes."""
    if not call.states:
        return []
    state = call.states[0]
    if len(call.states) > 1 or not isinstance(state, Pairs) or [key for key, _ in state.pairs] != [_METADATA]:
        return None
    return [state.pairs[0][1]]


class TorchWalker(Walker):
    """Collects the units of a checkpoint: `model_state_dict.fc1.weight`, `optimizer.state.0.exp_avg`."""

    def _visit(self, place: Place) -> Iterable[Place]:
        thing = place.thing
        pairs = entries(thing) if isinstance(thing, Call) else None
        if pairs is None:
            return super()._visit(place)
        for metadata in _metadata(thing) or ():
            self._versions(place.path, metadata)
        if pairs:
            return self._children(place, self._entries(pairs))
        return super()._visit(Place(place.path, Pairs(), place.above, place.depth, place.version))

    def _object(self, place: Place, call: Call) -> Iterable[Place]:
        state = call.states[0] if len(call.states) == 1 else None
        if not isinstance(state, Pairs) or not state.named().keys() >= _INSIDE:
            return super()._object(place, call)
        # a module: what is in it stands under its own name, hooks nobody hung up are left out
        pairs = [pair for pair in state.pairs if not _inside(pair[0]) and not _idle(*pair)]
        for name in ("_parameters", "_buffers", "_modules"):
            pairs += entries(state.named()[name]) or []
        whole = [Pairs(pairs)] if all(entries(state.named()[name]) is not None for name in _INSIDE) else call.states
        return super()._object(
            place, Call(call.callee, call.args, call.kwargs, whole, call.items, call.elements, call.value)
        )

    def _entries(self, pairs: list[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
        for (key, _), (step, part) in zip(pairs, super()._entries(pairs), strict=True):
            # bare only where each step between the dots could stand for itself
            yield (key if isinstance(key, str) and _dotted(key) else step), part

    def _versions(self, path: str, metadata: Any) -> None:
        # version numbers of each module's own layout: one unit, as only their change matters
        below = Walker()
        below.walk(metadata)
        text = json.dumps(below.units, sort_keys=True, default=str).encode()
        value = {"entries": len(below.units), "digest": blake3.blake3(text).hexdigest()}
        self.put(f"{path}.{_METADATA}" if path else _METADATA, value)


def _dotted(key: str) -> bool:
    steps = key.split(".")
    bare = all(step.isidentifier() or (step.isdecimal() and step.isascii()) for step in steps)
    return len(key) <= 200 and bare and (len(steps) > 1 or key.isdecimal())


def _inside(name: Any) -> bool:
    return isinstance(name, str) and name in _INSIDE


def _idle(name: Any, part: Any) -> bool:
    """Whether an attribute of a module is one of its own that holds nothing: a table of hooks, no flag."""
    if not isinstance(name, str) or not name.startswith("_"):
        return False
    return part is None or entries(part) == [] or (isinstance(part, Group) and not part.members)
