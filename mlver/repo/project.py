"""`mlver.toml`: what a project says of its artifacts, metrics, lineage and stages. Versioned like all else."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from typing import Any

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Spec, Unreadable
from mlver.repo.section import Section, place, section, sections

PROJECT_FILE = "mlver.toml"
_ENTRIES = ("path", "kind", "key")
_SERVED = ("model", "rules", "config", "code")
_SECTIONS = ("alerts", "commands", "metrics", "people", "rules", "slices", "slo", "stages")
_POLICY = "policy"
_TOP = {"artifact", "lineage", _POLICY, *_SECTIONS}


@frozen
class ArtifactRule:
    """One `[[artifact]]`: a path pattern, and the kind, key columns and options of what it matches."""

    path: str
    kind: str | None
    spec: Spec


@frozen
class Lineage:
    """One `[lineage."PATH"]`: what the artifact is made from (path patterns), and by which command."""

    inputs: tuple[str, ...]
    command: tuple[str, ...] = ()


@frozen
class Project:
    """A parsed mlver.toml; an empty one when there is no such file.

    `tables` holds the sections `[TOP.NAME]` as written, by TOP and NAME: whoever gives one a meaning reads it.
    """

    artifacts: tuple[ArtifactRule, ...] = ()
    directions: Mapping[str, str] = field(default_factory=dict)
    lineage: Mapping[str, Lineage] = field(default_factory=dict)
    include: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Section]] = field(default_factory=dict, compare=False)

    @property
    def policy(self) -> Section:
        """The section `[policy]`: what the repository as a whole asks for. Its entries stand in it directly."""
        return self.sections(_POLICY).get("", Section(_POLICY, f"{PROJECT_FILE}: {_POLICY}"))

    def sections(self, top: str) -> Mapping[str, Section]:
        """The sections `[TOP.NAME]` by name."""
        return self.tables.get(top, {})

    def kind(self, path: str) -> str | None:
        """The kind declared for a path, if any; later entries win."""
        return next((r.kind for r in reversed(self.artifacts) if r.kind and matches(path, r.path)), None)

    def spec(self, path: str) -> Spec:
        """Key columns and options declared for a path; later entries win."""
        return next((r.spec for r in reversed(self.artifacts) if matches(path, r.path)), Spec())

    def lineage_of(self, path: str) -> Lineage | None:
        """The declared lineage of a path, if any."""
        return next((line for pattern, line in self.lineage.items() if matches(path, pattern)), None)

    def serves(self, stage: str, path: str, kind: str) -> bool:
        """Whether a release for `stage` holds this artifact (kinds or path patterns in `include`)."""
        wanted = self.include.get(stage, self.include.get("*", _SERVED))
        return kind in wanted or any(matches(path, pattern) for pattern in wanted if "." in pattern or "/" in pattern)


def matches(path: str, pattern: str) -> bool:
    """Whether a tree path is the pattern, lies below it, or matches it as a glob (`*` crosses folders)."""
    pattern = pattern.removeprefix("./").rstrip("/")
    return path == pattern or path.startswith(pattern + "/") or fnmatchcase(path, pattern)


def parse_project(data: bytes, where: str = PROJECT_FILE) -> Project:
    """Return the project in the bytes of a mlver.toml; UsageError naming file and entry if it is malformed."""
    from mlver.kinds.documents.toml_text import refuse_long_keys  # only where there is a mlver.toml

    try:
        text = data.decode("utf-8")
        refuse_long_keys(text)
        plain = tomllib.loads(text)
    except Unreadable as error:
        raise UsageError(f"{where}: {error}") from None
    except RecursionError:
        raise UsageError(f"{where}: nested too deeply") from None
    except ValueError as error:  # of TOML or UTF-8
        raise UsageError(f"{where}: {error}") from None
    if unknown := sorted(plain.keys() - _TOP):
        where = place(where, text, unknown[0])
        raise UsageError(f"{where}: unknown entry {unknown[0]!r}", hint=f"known are {', '.join(sorted(_TOP))}")
    artifacts = plain.get("artifact", [])
    if not isinstance(artifacts, list):
        raise UsageError(f"{place(where, text, 'artifact')}: artifact must be written [[artifact]]")
    return Project(
        artifacts=tuple(
            _artifact(entry, f"{place(where, text, 'artifact', nth=n)}: artifact {n}")
            for n, entry in enumerate(artifacts, 1)
        ),
        directions=_directions(_table(plain, "metrics", where, text), where, text),
        lineage={
            path: _lineage(entry, f"{place(where, text, 'lineage', path)}: lineage {path!r}")
            for path, entry in _table(plain, "lineage", where, text).items()
        },
        include={
            stage: _texts(entry["include"], f"{place(where, text, 'stages', stage)}: stages.{stage}.include")
            if "include" in entry
            else _SERVED
            for stage, entry in _table(plain, "stages", where, text).items()
        },
        tables={top: sections(_table(plain, top, where, text), top, where, text) for top in _SECTIONS if top in plain}
        | _policy(plain, where, text),
    )


def _table(plain: Mapping[str, Any], name: str, where: str, text: str) -> dict[str, dict[str, Any]]:
    table = plain.get(name, {})
    if not isinstance(table, dict) or not all(isinstance(entry, dict) for entry in table.values()):
        raise UsageError(f"{place(where, text, name)}: {name} must be a table of tables")
    return table


def _policy(plain: Mapping[str, Any], where: str, text: str) -> dict[str, dict[str, Section]]:
    if _POLICY not in plain:
        return {}
    if not isinstance(plain[_POLICY], dict):
        raise UsageError(f"{place(where, text, _POLICY)}: {_POLICY} must be a table")
    return {_POLICY: {"": section(plain[_POLICY], _POLICY, where, text)}}


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise UsageError(f"{where}: expected a text or a list of texts")


def _artifact(entry: Any, where: str) -> ArtifactRule:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        raise UsageError(f"{where}: needs a path")
    kind = entry.get("kind")
    if kind is not None and not isinstance(kind, str):
        raise UsageError(f"{where}: kind must be a text")
    options = {name: value for name, value in entry.items() if name not in _ENTRIES}
    for name in options:  # what kinds take is theirs to say, but a mistyped `key` would match other rows
        if meant := next((known for known in _ENTRIES if name.lower().rstrip("s") == known), None):
            raise UsageError(f"{where}: unknown entry {name!r}", hint=f"did you mean {meant}?")
    return ArtifactRule(entry["path"], kind, Spec(_texts(entry.get("key", []), f"{where}: key"), options))


def _directions(table: Mapping[str, Mapping[str, Any]], where: str, text: str) -> dict[str, str]:
    found = {}
    for name, entry in table.items():
        direction = entry.get("direction")
        if direction not in (None, "higher", "lower"):
            at = place(where, text, "metrics", name)
            raise UsageError(f'{at}: metrics.{name}.direction must be "higher" or "lower"')
        if direction:
            found[name] = direction
    return found


def _lineage(entry: Mapping[str, Any], where: str) -> Lineage:
    command = entry.get("command", [])
    words = tuple(command.split()) if isinstance(command, str) else _texts(command, f"{where}: command")
    return Lineage(_texts(entry.get("inputs", []), f"{where}: inputs"), words)
