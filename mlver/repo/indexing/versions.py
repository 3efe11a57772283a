"""Artifacts as the index keeps them: each distinct version of a file once, and what its rules and metrics say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from mlver.errors import Redacted, UsageError
from mlver.index.history.database import HistoryIndex
from mlver.kinds import registry
from mlver.kinds.base import Spec, Units, Unreadable, Value, short_json
from mlver.kinds.rule_text import SAID, rule_text
from mlver.objects.encoding import dump_canonical
from mlver.objects.ids import BlobId, CommitId, TreeId
from mlver.objects.result import jsonable
from mlver.objects.time import format_time
from mlver.objects.tree import TREE, Entry
from mlver.repo.metric_files import METRICS_KIND, named_values
from mlver.repo.project import PROJECT_FILE, Project, parse_project
from mlver.repo.snapshot import BlobSource, artifact_spec, read_tree

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

RULES_KIND = "rules"
_READ = (RULES_KIND, METRICS_KIND)  # kinds whose units are kept for every version
_WHOLE_LIMIT = 1 << 63


class Versions:
    """Numbers of versions, by folder: a folder that did not change is not looked at again."""

    def __init__(self, repo: Repository, index: HistoryIndex) -> None:
        self._repo, self._index = repo, index
        self._projects: dict[BlobId | None, Project] = {None: Project()}
        self._folders: dict[tuple[str, TreeId, BlobId | None], tuple[int, ...]] = {}
        self._numbers: dict[tuple[str, str, str, str, str], int] = {}

    def forget(self) -> None:
        """Forget numbers: somebody else has written to the index."""
        self._folders.clear()
        self._numbers.clear()

    def held(self, commit: CommitId) -> tuple[int, ...]:
        """Return the numbers of all versions a commit holds; new ones go into the index."""
        tree = self._repo.commit(commit).tree
        settings = self._settings(tree)
        return tuple(self._below("", tree, settings, commit))

    def project(self, tree: TreeId) -> Project:
        """Return the mlver.toml of a snapshot; an empty one when it cannot be read: others say so."""
        return self._project(self._settings(tree))

    def spec(self, tree: TreeId, path: str, kind: str) -> Spec:
        """Return key columns and options of one artifact."""
        return artifact_spec(self.project(tree), path, kind)

    def source(self, path: str, id: BlobId, size: int) -> BlobSource:
        """Return the bytes of a version."""
        return BlobSource(path, size, lambda: self._opened(id))

    def _opened(self, id: BlobId) -> BinaryIO:
        try:
            return self._repo.store.open_blob(id)
        except Redacted as error:
            raise Unreadable(error.message) from None

    def _settings(self, tree: TreeId) -> BlobId | None:
        entries = read_tree(self._repo.store, tree).entries
        return next((BlobId(e.id) for e in entries if e.name == PROJECT_FILE and e.type != TREE), None)

    def _project(self, settings: BlobId | None) -> Project:
        if settings not in self._projects:
            assert settings is not None
            try:
                self._projects[settings] = parse_project(self._repo.store.get(settings), PROJECT_FILE)
            except (UsageError, Redacted):
                self._projects[settings] = Project()
        return self._projects[settings]

    def _below(self, prefix: str, tree: TreeId, settings: BlobId | None, commit: CommitId) -> Iterator[int]:
        slot = (prefix, tree, settings)
        if slot not in self._folders:
            found: list[int] = []
            for entry in read_tree(self._repo.store, tree).entries:
                if entry.type == TREE:
                    assert isinstance(entry.id, TreeId)
                    found += self._below(f"{prefix}{entry.name}/", entry.id, settings, commit)
                else:
                    found.append(self._number(prefix + entry.name, entry, settings, commit))
            self._folders[slot] = tuple(found)
        yield from self._folders[slot]

    def _number(self, path: str, entry: Entry, settings: BlobId | None, commit: CommitId) -> int:
        spec, text = Spec(), ""
        if entry.kind in _READ:
            spec = artifact_spec(self._project(settings), path, entry.kind)
            text = dump_canonical(jsonable({"key": spec.key, "options": spec.options})).decode()
        name = (path, entry.type, entry.kind, entry.id.hex(), text)
        if name not in self._numbers:
            where = "path = ? AND type = ? AND kind = ? AND id = ? AND spec = ?"
            rows = self._index.select(f"SELECT number FROM _versions WHERE {where}", name)  # noqa: S608
            self._numbers[name] = rows[0][0] if rows else self._add(name, entry, spec, commit)
        return self._numbers[name]

    def _add(self, name: tuple[str, str, str, str, str], entry: Entry, spec: Spec, commit: CommitId) -> int:
        path, type, kind, id, text = name
        units, problem = None, None
        if kind in _READ:
            try:
                units = registry.get_any(kind).units(self.source(path, BlobId(entry.id), entry.size), spec)
            except Unreadable as reason:
                problem = str(reason)
        insert = "INSERT INTO _versions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
        number = self._index.run(insert, (path, type, kind, id, entry.size, text, problem))
        if units is not None and kind == RULES_KIND:
            self._add_rules(number, path, units, commit)
        elif units is not None:
            values = {key: units.get(key) for key in units.keys()}  # noqa: SIM118 - Units is no mapping
            rows = ((number, name, part, metric_cell(value), n) for name, part, value, n in named_values(values))
            self._index.insert("_file_metrics", rows)
        return number

    def _add_rules(self, number: int, path: str, units: Units, commit: CommitId) -> None:
        about = self._repo.commit(commit)
        rows, texts = [], []
        names = [key for key in units.keys() if not key.startswith("@")]  # noqa: SIM118 - Units is no mapping
        for position, key in enumerate(names):
            rule = units.get(key)
            fields = rule if isinstance(rule, dict) else {}
            why = next((short_json(fields[name], 10_000) for name in SAID[1:] if fields.get(name)), None)
            owner = fields.get("owner")
            rows.append((number, position, key, None if owner is None else str(owner), why, json_text(rule)))
            text = " · ".join(filter(None, (why, rule_text(key, rule, said=False), owner and str(owner))))
            texts.append((text, "rule", f"{path}#{key}", commit.hex(), format_time(about.time), about.author))
        self._index.insert("_rules", rows)
        known = "SELECT 1 FROM texts WHERE source = ? AND about = ? AND text = ?"
        fresh = [text for text in texts if not self._index.select(known, (text[1], text[2], text[0]))]
        self._index.insert_texts(fresh)


def json_text(value: Value) -> str:
    """Return a value as canonical JSON."""
    return dump_canonical(jsonable(value)).decode()


def metric_cell(value: Value) -> int | float | str | None:
    """Return a metric value as a column holds it: NaN and infinities as text, giants as floats."""
    plain = jsonable(value)
    if isinstance(plain, int) and abs(plain) >= _WHOLE_LIMIT:
        return float(plain)
    return plain if isinstance(plain, (int, float, str)) else None
