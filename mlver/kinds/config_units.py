"""Config units in a merge: items of lists go by their place, and a key is a value or has keys below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from mlver.kinds.base import Units, Value
from mlver.kinds.documents import join_path, split_path


class ConfigUnits(Units):
    """Settings by dotted path. `lists` are the lengths of lists of maps, whose items go by their index."""

    def __init__(self, items: Mapping[str, Value], lists: Mapping[str, int]) -> None:
        super().__init__(items)
        self.lists = lists

    def bond(self, ours: Units, theirs: Units) -> Callable[[str], str | None]:
        """Items of a list that grew or shrank on one side stand together, for their numbers mean other items there.

        So does a key that is a value on one side and has keys below it on the other.
        """
        sides = [side for side in (self, ours, theirs) if isinstance(side, ConfigUnits)]
        ties = {path for side in sides for path in side.lists if len({other.lists.get(path) for other in sides}) > 1}
        leaves = [{key for key in side.keys() if side.get(key) not in ({}, [])} for side in sides]  # noqa: SIM118
        above = [{path for key in keys for path in _above(key)} for keys in leaves]
        for number, keys in enumerate(leaves):
            ties |= {key for other, paths in enumerate(above) if other != number for key in keys & paths}
        if not ties:
            return lambda key: None
        return lambda key: next((path for path in (*_above(key), key) if path in ties), None)


def _above(key: str) -> Iterable[str]:
    """Return the paths above a key, the outermost first."""
    if "." not in key:
        return []
    parts = split_path(key)
    return [join_path(parts[:n]) for n in range(1, len(parts))]
