"""Pickles, read by the symbolic machine: what the stream describes, what it throws away, what follows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mlver.kinds.base import Source, Unreadable
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.boosters import Boosters
from mlver.kinds.models.joblib_file import WRAPPER
from mlver.kinds.models.known import KNOWN
from mlver.kinds.models.limits import OPCODES_FLOOR
from mlver.kinds.models.loaded import Loaded, UnreadableModel
from mlver.kinds.models.parts import stored
from mlver.kinds.models.paths import DISCARDED, TRAILING
from mlver.kinds.models.pickle_vm import Machine, Trace
from mlver.kinds.models.reader import Reader
from mlver.kinds.models.symbols import is_data, runs_code, verdict
from mlver.kinds.models.trees import gathered
from mlver.kinds.models.values import Call, Group, Pairs, Symbol
from mlver.kinds.models.walk import Walker


def read_pickle(source: Source) -> Loaded:
    """Return what a pickle or joblib file holds; Unreadable when it is no such file."""
    trace, walker = Trace(), Boosters()
    unpickled(source, trace, walker)
    found = gathered(traced("joblib" if WRAPPER in trace.names else "pickle", walker, trace))
    if walker.importance is None:
        return found
    return replace(found, facts={**found.facts, "trees": walker.trees}, importance=walker.importance)


def is_pickle(source: Source) -> bool:
    """Whether a file starts as pickles of protocol 2 and later do."""
    with source.open() as stream:
        head = stream.read(2)
    return head[:1] == b"\x80" and head[1:] in (b"\2", b"\3", b"\4", b"\5")


def unpickled(
    source: Source,
    trace: Trace,
    walker: Walker,
    known: Mapping[str, Callable[[Any], Any]] = KNOWN,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Add the units of a pickle to `walker`, and return what it describes; see `Machine` for the rest.

    UnreadableModel when it cannot be read to its end: what stands before would have happened by then.
    """
    trace.left = min(trace.left, OPCODES_FLOOR + stored(source))
    try:
        with source.open() as stream:
            reader = Reader(source, stream)
            root = Machine(reader, trace, known=known, persistent=persistent).run()
            count, digest = reader.rest()
        walker.walk(root)
    except Unreadable as reason:
        rated, running = verdict(trace.names, trace.calls_result), list(filter(runs_code, trace.names))
        said = f"{reason}; before that it runs code: {', '.join(running[:3])}" if running else str(reason)
        raise UnreadableModel(said, rated, tuple(trace.names)) from reason
    lost = _lost(trace.dropped, root)
    if lost:
        walker.walk(lost, DISCARDED)
        trace.oddities["objects made and thrown away"] = None
    if count:
        walker.put(TRAILING, {"bytes": count, "digest": digest})
        trace.oddities["bytes after the end"] = None
    return root


def traced(form: str, walker: Walker, trace: Trace) -> Loaded:
    """Return what `walker` found, with the verdict the names in `trace` lead to."""
    return Loaded(
        form,
        walker.units,
        walker.arrays,
        verdict(trace.names, trace.calls_result),
        tuple(sorted(filter(runs_code, trace.names))),
        tuple(sorted(name for name in trace.names if not is_data(name) and not runs_code(name))),
        tuple(trace.oddities),
        imports=tuple(trace.names),
    )


def _lost(dropped: list[Any], root: Any) -> list[Any]:
    """Return the names and calls that were made but are no part of `root`: they act when the file is loaded."""
    if not dropped:
        return []
    seen: set[int] = set()
    _reach(root, seen)
    return [thing for thing in dropped if id(thing) not in seen and _reach(thing, seen)]


def _reach(root: Any, seen: set[int]) -> bool:
    """Add the ids of everything in `root` to `seen`; return whether a name or call was new among them."""
    acts = False
    todo = [root]
    while todo:
        thing = todo.pop()
        if not isinstance(thing, (Symbol, Call, Pairs, Group, list, tuple, ArrayData)) or id(thing) in seen:
            continue
        seen.add(id(thing))
        acts = acts or isinstance(thing, (Symbol, Call))
        todo.extend(_parts(thing))
    return acts


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, Call):
        kwargs = thing.kwargs.pairs if thing.kwargs else []
        pairs = [part for pair in (*thing.items, *kwargs) for part in pair]
        return [thing.callee, *thing.args, *thing.states, *pairs, *thing.elements, thing.value]
    if isinstance(thing, Pairs):
        return [part for pair in thing.pairs for part in pair]
    if isinstance(thing, Group):
        return thing.members
    if isinstance(thing, ArrayData):
        return list(thing.objects or ())
    return list(thing) if isinstance(thing, (list, tuple)) else []
