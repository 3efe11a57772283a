"""All rules of a snapshot, file by file, and where in its file each stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlver.errors import UnknownRevision, UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Kind, Unreadable, Value
from mlver.kinds.rule_lines import rule_line
from mlver.objects.ids import BlobId
from mlver.repo.snapshot import Snapshot
from mlver.repo.unit_reader import locate_or_fail

RULES_KIND = "rules"
BESIDE = "@"  # units that stand beside the rules of a file begin so


@frozen
class RuleFile:
    """One file of rules: its path, content id, and its rules by id, in its order."""

    path: str
    id: BlobId
    rules: Mapping[str, Value]
    kind: Kind
    snapshot: Snapshot

    def where(self, key: str) -> str:
        """Return `rules/rules.json:12: rule R2`, for complaints."""
        line = rule_line(self.snapshot.source(self.path), key)
        return f"{self.path}{f':{line}' if line else ''}: rule {key}"


def rule_files(snapshot: Snapshot, wanted: str | None = None, *, strict: bool = True) -> Iterator[RuleFile]:
    """Yield the files of rules in a snapshot, or `wanted` alone: a path, or `PATH#RULE` for one rule of it.

    A file that cannot be read is a UsageError naming file and line; unless `strict`, it is left out.
    """
    path, _, unit = (wanted or "").partition("#")
    paths = [path] if path else [p for p, artifact in snapshot.artifacts.items() if artifact.kind == RULES_KIND]
    for one in paths:
        artifact = snapshot[one]
        if artifact.kind != RULES_KIND:
            raise UsageError(f"{one} is of kind {artifact.kind}, not rules", hint='kind = "rules" in mlver.toml')
        try:
            units = snapshot.units(one)
        except Unreadable as reason:
            if strict:
                raise UsageError(f"{one}: {reason}") from None
            continue
        keys = [locate_or_fail(units, unit, one)[0]] if unit else list(units.keys())
        rules = {key: units.get(key) for key in keys if not key.startswith(BESIDE)}
        yield RuleFile(one, artifact.id, rules, snapshot.kind(one), snapshot)
    if not paths:
        raise UnknownRevision("there are no rules here", hint="rules live in folders such as rules/ and checks/")
