"""What varied between two commits that went into a model, and what was held fixed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from mlver.errors import Refused, UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Unreadable, Value
from mlver.objects.commit import Derivation, Environment
from mlver.objects.ids import BlobId, CommitId, DerivationId, EnvironmentId
from mlver.repo.ignore import IGNORE_FILE
from mlver.repo.project import PROJECT_FILE
from mlver.repo.repository import Repository
from mlver.verbs.common import FileChange
from mlver.verbs.compare import compare_artifact
from mlver.verbs.diff_result import ArtifactDiff, UnitChange, UnitCounts
from mlver.verbs.folders import artifact_changes, gathered

MODEL, PARAMETERS, SEED, ENV = "model", "parameters", "seed", "env"
INPUTS = ("data", "config", "rules", "code")
_BY_UNIT = ("config", "rules")
_UNITS = 8  # changes told one by one
_PACKAGES = 4
_LOOKED_AT = 200  # units of a table: its columns come first
_OWN = (PROJECT_FILE, IGNORE_FILE)
_SEED = re.compile(r"(^|[._-])(seed|random_state|random_seed|randomseed)$", re.IGNORECASE)
_COLUMN = "columns."


@frozen
class Varied:
    """One kind of thing that varied: `data`, `config`, `rules`, `code`, `seed`, `parameters`, `env` or another kind.

    `changes` says how, one text a change; `paths` are the artifacts.
    """

    kind: str
    changes: tuple[str, ...]
    paths: tuple[str, ...] = ()


@frozen
class Variation:
    """What varied and what was `fixed`, by kind; `models` are the models that came out different.

    `columns` are the columns of tables that came (`+a`) or went (`-b`), by path.
    """

    varied: tuple[Varied, ...]
    fixed: tuple[str, ...]
    models: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]

    @property
    def line(self) -> str:
        """Everything that varied in one line: `C 1.0 -> 10.0; train.csv +80 rows`."""
        return "; ".join(text for one in self.varied for text in one.changes)


def is_seed(name: str) -> bool:
    """Whether a parameter or key of this name is a seed."""
    return bool(_SEED.search(name))


class Variations:
    """Compares commits, each pair of versions of an artifact once."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._seen: dict[tuple[str, BlobId | None, BlobId | None], ArtifactDiff] = {}
        self._derivations: dict[DerivationId, Derivation] = {}

    def between(self, base: CommitId | None, commit: CommitId) -> Variation:
        """Return what varied on the way from `base` (None: from nothing) to `commit`."""
        diffs = self._diffs(base, commit)
        by_kind: dict[str, list[ArtifactDiff]] = {}
        for one in diffs:
            if one.path not in _OWN and one.change != "rewritten":
                by_kind.setdefault(one.kind, []).append(one)
        models = tuple(one.path for one in by_kind.pop(MODEL, []) if one.change != "removed")
        for outcome in ("metrics", "alerts"):
            by_kind.pop(outcome, None)
        seeds: list[str] = []
        found: dict[str, Varied] = {}
        for kind in sorted(by_kind, key=_place):
            texts = [text for one in by_kind[kind] for text in _texts(one, len(by_kind[kind]) > 1)]
            seeds += [text for text in texts if kind == "config" and is_seed(text.split(" ")[0])]
            if texts := [text for text in texts if text not in seeds]:
                found[kind] = Varied(kind, tuple(texts), tuple(one.path for one in by_kind[kind]))
        parameters = self._parameter_changes(base, commit)
        seeds += [text for text in parameters if is_seed(text.split(" ")[0])]
        parameters = [text for text in parameters if text not in seeds]
        for kind, texts in ((SEED, seeds), (PARAMETERS, parameters), (ENV, self._environment(base, commit))):
            found |= {kind: Varied(kind, tuple(texts))} if texts else {}
        columns = {one.path: _columns(one.changes) for one in by_kind.get("data", [])}
        fixed = self._fixed(commit, found, base)
        return Variation(
            tuple(found.values()), fixed, models, {path: names for path, names in columns.items() if names}
        )

    def parameters(self, commit: CommitId) -> dict[str, Value]:
        """Return the parameters of a commit and of the runs that made what it holds, without those its config says."""
        data = self._repo.commit(commit)
        runs = [self._derivation(id) for id in dict.fromkeys(data.derivations.values())]
        told = {name: value for run in runs for name, value in run.parameters.items()} | dict(data.parameters)
        config = self.config(commit)
        leaves = {(key.rpartition("#")[2].rpartition(".")[2], repr(value)) for key, value in config.items()}
        return {name: value for name, value in told.items() if (name.rpartition(".")[2], repr(value)) not in leaves}

    def config(self, commit: CommitId) -> dict[str, Value]:
        """Return every setting by its key, `PATH#key` where two files have it."""
        snapshot = self._repo.snapshot(commit)
        by_file: dict[str, dict[str, Value]] = {}
        for path, artifact in snapshot.artifacts.items():
            if artifact.kind == "config" and path not in _OWN:
                try:
                    units = snapshot.units(path)
                except Unreadable:
                    continue
                by_file[path] = {key: units.get(key) for key in units.keys()}  # noqa: SIM118
        counts: dict[str, int] = {}
        for units_of in by_file.values():
            for key in units_of:
                counts[key] = counts.get(key, 0) + 1
        return {
            key if counts[key] == 1 else f"{path}#{key}": value
            for path, units_of in by_file.items()
            for key, value in units_of.items()
        }

    def _diffs(self, base: CommitId | None, commit: CommitId) -> list[ArtifactDiff]:
        new = self._repo.snapshot(commit)
        old = self._repo.snapshot(base) if base else type(new)({}, lambda a: self._repo.store.open_blob(a.id))
        alone, told = gathered(artifact_changes(old, new, ()))
        found = list(told)
        for change in alone:
            slot = (change.path, change.old_id, change.new_id)
            if slot not in self._seen:
                try:
                    self._seen[slot] = (
                        _bare(change)
                        if change.kind in (MODEL, "metrics", "alerts")
                        else compare_artifact(old, new, change, limit=_LOOKED_AT)
                    )
                except (UsageError, Refused):
                    self._seen[slot] = _bare(change)
            found.append(self._seen[slot])
        return sorted(found, key=lambda one: one.path)

    def _derivation(self, id: DerivationId) -> Derivation:
        if id not in self._derivations:
            self._derivations[id] = self._repo.store.get_object(Derivation, id)
        return self._derivations[id]

    def _parameter_changes(self, base: CommitId | None, commit: CommitId) -> list[str]:
        old, new = self.parameters(base) if base else {}, self.parameters(commit)
        told = [f"{name} {_shown(new[name])}" for name in sorted(new) if name not in old]
        both = (name for name in sorted(new) if name in old and repr(old[name]) != repr(new[name]))
        return [*(f"{name} {_shown(old[name])} -> {_shown(new[name])}" for name in both), *told]

    def _environment(self, base: CommitId | None, commit: CommitId) -> list[str]:
        if base is None:
            return []
        ids = [self._made_in(one) for one in (base, commit)]
        if None in ids:  # of one the environment of its run is known, of the other that of the commit: no comparison
            ids = [self._repo.commit(one).environment for one in (base, commit)]
        if None in ids or ids[0] == ids[1]:
            return []
        old, new = (self._versions(id) for id in ids)
        names = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
        told = [f"{name} {old.get(name, 'none')} -> {new.get(name, 'none')}" for name in names[:_PACKAGES]]
        return told + ([f"{len(names) - _PACKAGES} more packages"] if len(names) > _PACKAGES else [])

    def _made_in(self, commit: CommitId) -> EnvironmentId | None:
        """Return where the models of a commit were made, None when that was not recorded."""
        kinds = self._repo.snapshot(commit).artifacts
        derivations = self._repo.commit(commit).derivations
        made = [id for path, id in derivations.items() if path in kinds and kinds[path].kind == MODEL]
        return self._derivation(made[0]).environment if made else None

    def _versions(self, id: EnvironmentId | None) -> Mapping[str, str]:
        if id is None:
            return {}
        one = self._repo.store.get_object(Environment, id)
        return {"python": one.python, "platform": one.platform, **one.packages}

    def _fixed(self, commit: CommitId, varied: Mapping[str, Varied], base: CommitId | None) -> tuple[str, ...]:
        if base is None:
            return ()
        artifacts = self._repo.snapshot(commit).artifacts
        there = {artifact.kind for path, artifact in artifacts.items() if path not in _OWN}
        seeded = any(map(is_seed, [*self.parameters(commit), *self.config(commit)]))
        there |= ({SEED} if seeded else set()) | {ENV}
        return tuple(kind for kind in (*INPUTS, SEED, ENV) if kind in there and kind not in varied)


def _place(kind: str) -> tuple[int, str]:
    order = ("config", "data", "rules", "code")
    return (order.index(kind) if kind in order else len(order), kind)


def _texts(one: ArtifactDiff, several: bool) -> list[str]:
    name = one.path.rstrip("/").rpartition("/")[2]
    if one.change in ("added", "removed", "renamed"):
        return [f"{name} {one.change}"]
    total = one.units.added + one.units.removed + one.units.changed
    if one.kind in _BY_UNIT and 0 < total <= _UNITS and len(one.changes) == total:
        where = f"{name} " if several else ""
        return [f"{where}{_unit(change)}" for change in one.changes]
    return [f"{name} {one.summary}".rstrip()]


def _unit(change: UnitChange) -> str:
    old, new = change.text_old, change.text_new
    if change.change == "added":
        return f"+{change.unit} {new}"
    if change.change == "removed":
        return f"-{change.unit}, was {old}"
    arrows = " -> " in f"{old}{new}"  # rules have arrows of their own
    return f"{change.unit} {new}, was {old}" if arrows else f"{change.unit} {old} -> {new}"


def _columns(changes: Sequence[UnitChange]) -> tuple[str, ...]:
    signs = {"added": "+", "removed": "-"}
    named = [one for one in changes if one.unit.startswith(_COLUMN) and one.change in signs]
    return tuple(sorted(f"{signs[one.change]}{one.unit[len(_COLUMN) :]}" for one in named))


def _bare(change: FileChange) -> ArtifactDiff:
    return ArtifactDiff(
        change.path, change.kind, change.change, "", UnitCounts(), old_id=change.old_id, new_id=change.new_id
    )


def _shown(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False)
