"""The kinds there are: by name, and by looking at a file.

Importing this module, and asking it about a path, loads no kind: a kind's own module is imported
when the kind itself is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from mlver.errors import UsageError
from mlver.kinds import recognise
from mlver.kinds.base import Kind, Source, Spec, Units, Unreadable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_GROUP = "mlver.kinds"
_BUILT_IN: Mapping[str, str] = {
    "data": "mlver.kinds.data:DataKind",
    "model": "mlver.kinds.model:ModelKind",
    "rules": "mlver.kinds.rules:RulesKind",
    "metrics": "mlver.kinds.metrics:MetricsKind",
    "alerts": "mlver.kinds.alerts:AlertsKind",
    "config": "mlver.kinds.config:ConfigKind",
    "code": "mlver.kinds.code:CodeKind",
    "file": "mlver.kinds.file:FileKind",
}
KINDS: tuple[str, ...] = tuple(_BUILT_IN)
HEAD_BYTES = recognise.HEAD_BYTES


def names() -> tuple[str, ...]:
    """Return the names of all kinds, those of installed plugins last."""
    return (*KINDS, *_plugins())


def exists(name: str) -> bool:
    """Whether a kind of that name is built in or installed."""
    return name in _BUILT_IN or name in _plugins()


class AbsentKind(Kind):
    """Stands in for a kind that a commit names and that is not installed here: its files are bytes."""

    order = 99

    def __init__(self, name: str) -> None:
        self.name = name  # type: ignore[misc]

    def recognises(self, path: str, head: bytes) -> int:
        """Nothing is."""
        return 0

    def units(self, source: Source, spec: Spec) -> Units:
        """Raise Unreadable."""
        raise Unreadable(f"no kind is named {self.name!r} here")


def get_any(name: str) -> Kind:
    """Return the kind, or an AbsentKind of that name."""
    return get(name) if exists(name) else AbsentKind(name)


@cache
def get(name: str) -> Kind:
    """Return the one instance of a kind; UsageError when there is none of that name, or it cannot be loaded."""
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        built_in: Kind = getattr(import_module(module), attribute)()
        return built_in
    if name not in _plugins():
        raise UsageError(f"no kind is named {name!r}", hint=f"kinds: {', '.join(names())}")
    return _loaded(_plugins()[name])


def detect(path: str, read_head: Callable[[], bytes]) -> str:
    """Return the name of the kind that is surest of the file; ties go to the order of `names()`.

    `read_head` returns the first `HEAD_BYTES` of the file. It is called only when the path does not
    decide; a plugin is asked without it first, and with it only if it did not say 0 then.
    """
    by_path = recognise.by_path(path)
    plugins = _plugins()
    if not plugins:
        return by_path if by_path is not None else recognise.by_head(path, read_head())
    if by_path is not None:
        best, sure, head = by_path, recognise.SURE, b""
    else:
        head = read_head()
        best, sure = recognise.by_head(path, head), recognise.LIKELY
    for name in plugins:
        kind = get(name)
        claim = kind.recognises(path, head)
        if claim and not head:
            head = read_head()
            claim = kind.recognises(path, head)
        if claim > sure:
            best, sure = name, claim
    return best


@cache
def _plugins() -> dict[str, EntryPoint]:
    """Return the installed kinds by name; a built-in kind cannot be replaced."""
    from importlib.metadata import entry_points  # 25 ms that most commands do not need

    found = entry_points(group=_GROUP)
    return {point.name: point for point in sorted(found, key=lambda point: point.name) if point.name not in _BUILT_IN}


def _loaded(point: EntryPoint) -> Kind:
    try:
        kind = point.load()()
    except Exception as error:
        raise UsageError(
            f"the kind {point.name!r} ({point.value}) cannot be loaded: {error}", hint="uninstall or repair its package"
        ) from error
    if not isinstance(kind, Kind):
        raise UsageError(f"the kind {point.name!r} ({point.value}) is no subclass of mlver.kinds.base.Kind")
    return kind
