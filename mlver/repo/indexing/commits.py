"""Commits as rows: what they say, hold, changed and were made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mlver.errors import Damaged
from mlver.index.history.database import HistoryIndex
from mlver.objects.commit import Commit, Derivation, Environment
from mlver.objects.ids import CommitId, DerivationId, EnvironmentId, parents_first
from mlver.objects.time import format_time
from mlver.objects.tree import Entry
from mlver.repo.indexing.versions import Versions, json_text
from mlver.repo.snapshot import changed_paths

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


class CommitRows:
    """Adds commits to the index, each once, parents first."""

    def __init__(self, repo: Repository, index: HistoryIndex, versions: Versions) -> None:
        self._repo, self._index, self._versions = repo, index, versions
        self._known: set[str] = set()

    def forget(self) -> None:
        """Look again at what the index holds: somebody else has written to it."""
        self._known = {row[0] for row in self._index.select("SELECT id FROM commits")}

    def missing(self, heads: Iterable[CommitId], *, gone: bool) -> Iterator[CommitId]:
        """Yield the commits that `heads` lead to and the index lacks, parents first.

        `gone` passes over commits that are no longer stored, as those only an old operation named may be.
        """

        def above(id: CommitId) -> Iterable[CommitId] | None:
            if id.hex() in self._known:
                return None
            try:
                return reversed(self._repo.commit(id).parents)
            except Damaged:
                if not gone:
                    raise
                return None

        return parents_first(sorted(set(heads)), above)

    def add(self, id: CommitId) -> None:
        """Add one commit, whose parents are in."""
        commit, index, name = self._repo.commit(id), self._index, id.hex()
        number = len(self._known)
        self._known.add(name)
        index.insert("commits", [_commit_row(name, number, commit)])
        index.insert("parents", ((name, parent.hex(), place) for place, parent in enumerate(commit.parents)))
        trailers = [(word, text) for word, texts in commit.trailers.items() for text in texts]
        index.insert("trailers", ((name, *trailer) for trailer in trailers))
        about = (name, format_time(commit.time), commit.author)
        texts = [(commit.message, "commit", None), *((text, "trailer", word) for word, text in trailers)]
        index.insert_texts((*text, *about) for text in texts)
        if commit.environment is not None:
            self._add_environment(commit.environment)
        for path, derivation in commit.derivations.items():
            self._add_derivation(derivation)
            index.insert("made", [(name, path, derivation.hex())])
        index.insert("_held", ((number, version) for version in self._versions.held(id)))
        index.insert("changes", self._changes(name, commit))

    def _changes(self, name: str, commit: Commit) -> Iterator[tuple[Any, ...]]:
        for path, (was, old, new) in sorted(changed_files(self._repo, commit).items()):
            one = new or old
            assert one is not None
            change = "renamed" if was else "modified" if old and new else "added" if new else "removed"
            ids = [entry.id.hex() if entry else None for entry in (old, new)]
            sizes = [entry.size if entry else None for entry in (old, new)]
            yield (name, path, one.kind, change, was, *ids, *sizes, None, None, None, None, None)

    def _add_environment(self, id: EnvironmentId) -> None:
        if self._has("environments", id.hex()):
            return
        made = self._repo.store.get_object(Environment, id)
        self._index.insert("environments", [(id.hex(), made.python, made.implementation, made.platform)])
        self._index.insert("packages", ((id.hex(), *package) for package in made.packages.items()))

    def _add_derivation(self, id: DerivationId) -> None:
        if self._has("derivations", id.hex()):
            return
        made, name = self._repo.store.get_object(Derivation, id), id.hex()
        if made.environment is not None:
            self._add_environment(made.environment)
        row = (
            name, made.source, made.name, json_text(made.command), json_text(made.parameters),
            made.environment.hex() if made.environment else None, format_time(made.started) if made.started else None,
            made.seconds, made.exit, int(made.observed),
        )  # fmt: skip
        self._index.insert("derivations", [row])
        for role, used in (("input", made.inputs), ("output", made.outputs)):
            rows = ((name, role, one.path, one.kind, one.id.hex()) for one in used)
            self._index.insert("derivation_files", rows)

    def _has(self, table: str, id: str) -> bool:
        return bool(self._index.select(f"SELECT 1 FROM {table} WHERE id = ?", (id,)))  # noqa: S608


def _commit_row(name: str, number: int, commit: Commit) -> tuple[Any, ...]:
    git = commit.git
    return (
        name, number, commit.author, format_time(commit.time), commit.subject, commit.message, commit.why, 0,
        commit.tree.hex(), commit.environment.hex() if commit.environment else None,
        git.commit if git else None, git.branch if git else None, json_text(commit.parameters), 0,
    )  # fmt: skip


def changed_files(repo: Repository, commit: Commit) -> dict[str, tuple[str | None, Entry | None, Entry | None]]:
    """Return path -> (old path, old entry, new entry) of what a commit changed against its first parent.

    A removed and an added file of the same bytes are one that was renamed: then there is an old path.
    """
    parent = repo.commit(commit.parents[0]).tree if commit.parents else None
    found: dict[str, tuple[str | None, Entry | None, Entry | None]] = {
        path: (None, old, new) for path, old, new in changed_paths(repo.store, parent, commit.tree)
    }
    gone = {old.id: path for path, (_, old, new) in sorted(found.items()) if old and not new and old.size}
    for path, (_, old, new) in sorted(found.items()):
        was = gone.pop(new.id, None) if new and not old else None
        if was:
            found[path] = (was, found.pop(was)[1], new)
    return found
