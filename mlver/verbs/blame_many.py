"""Blame of a table of many rows: by what its versions differ in, so that most rows are counted and never read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.ids import BlobId, CommitId
from mlver.repo.attribute import Jump, attribute
from mlver.repo.repository import Repository
from mlver.repo.touched import Comparisons, Touched
from mlver.repo.unit_reader import UnitReader

_REST = "\0"  # stands for all units that no version on the way touched; no key is written so
_FOLLOWED = 1_000_000  # names that are followed one by one
_COLUMNS = ("columns.",)


@frozen
class Claim:
    """What one commit last changed: rows and columns by name, each `added` or `changed`, and so many other rows."""

    commit: CommitId
    rows: dict[str, str]
    columns: dict[str, str]
    rest: int


def claims(repo: Repository, reader: UnitReader, start: CommitId, last: Jump | None) -> list[Claim]:
    """Return for each commit what it last changed of the units at `start`, newest first.

    UsageError when the versions do not tell by name what they changed, or tell too many names.
    """
    units = reader.few(start)
    assert units is not None
    walk = _Walk(repo, reader)
    schema = {name for name in units.inside(_COLUMNS) if not isinstance(units.get(name), dict)}
    known, followed = dict.fromkeys(sorted(schema)), set[str]()
    while True:  # till no version on the way touched what was not followed from the start
        made = attribute(repo, start, [_REST, *known], walk.trace, last)
        fresh = sorted(walk.met - followed)
        if not fresh:
            break
        followed.update(fresh)
        if len(followed) > _FOLLOWED:
            raise walk.refusal(f"{len(followed)} of its rows and more changed since it came")
        known |= {name: None for name, there in zip(fresh, units.has_all(fresh), strict=True) if there}
    brought = made.pop(_REST)
    rest = len(units) - len(made)
    found = {
        id: Claim(id, {}, {}, rest if id == brought else 0) for id in {*made.values(), *([brought] if rest else [])}
    }
    for name, id in made.items():
        claim = found[id]
        (claim.columns if name in schema else claim.rows)[name] = walk.change_of(id, name)
    return [found[id] for id in repo.graph.newest_first(found)]


class _Walk:
    """Follows units by the comparisons of neighbours; `met` are the names of what came or changed on the way."""

    def __init__(self, repo: Repository, reader: UnitReader) -> None:
        self._repo, self._reader = repo, reader
        self._comparisons = Comparisons(repo, reader)
        self.met: set[str] = set()

    def trace(self, child: CommitId, parent: CommitId, keys: Iterable[str]) -> Mapping[str, str]:
        """Be a Tracer: return the units that are the same in the parent."""
        if self._reader.blob(child) == self._reader.blob(parent):
            return {key: key for key in keys}
        found = self._between(parent, child)
        if found is None:
            return {}
        touched = {*found.added, *found.changed}
        self.met |= touched
        return {key: key for key in keys if key not in touched}

    def change_of(self, id: CommitId, name: str) -> str:
        """Return whether a commit that touched a unit added or changed it."""
        found = (self._between(parent, id) for parent in self._repo.commit(id).parents)
        return "changed" if any(one is not None and name not in one.added for one in found) else "added"

    def refusal(self, why: str) -> UsageError:
        """Return what is said when the rows cannot be told one from the other."""
        path = self._reader.path
        return UsageError(
            f"{path} as a whole: {why}", hint=f"mlver blame '{path}#ROW' for one row, or mlver log {path}"
        )

    def _between(self, parent: CommitId, child: CommitId) -> Touched | None:
        """Return what a commit changed; None when there is nothing to be compared with, or not to be read."""
        old, new = self._reader.blob(parent), self._reader.blob(child)
        if old is None or new is None:
            return None
        found = self._comparisons.between(BlobId(old), BlobId(new))
        if isinstance(found, Touched):
            return found
        if not (self._reader.readable(parent) and self._reader.readable(child)):
            return None
        if found.many is None:
            raise self.refusal(f"commit {child.short} names its rows in another way than before")
        raise self.refusal(f"commit {child.short} touched {found.many} rows")
