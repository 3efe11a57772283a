"""Running the user's command with rules switched off, in scratch folders; the work tree sees nothing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlver.errors import UsageError
from mlver.kinds.base import MISSING, CannotEdit
from mlver.objects.ids import BlobId
from mlver.objects.tree import TREE
from mlver.repo.measuring import CommandFailed, Measured, measure
from mlver.repo.observation import observe
from mlver.repo.repository import Repository
from mlver.repo.rulebook import RuleFile
from mlver.repo.scratch import Scratch, scratch
from mlver.repo.snapshot import Artifact, Snapshot
from mlver.verbs.rule_data import DataVersion

_SERVED = ("config", "model", "rules", "code")  # kinds an answer rests on whether or not they were seen to be read
_LARGEST = 1 << 30  # bytes of a table that only the work tree has


@dataclass
class Trial:
    """A bundle that is measured again and again, each time with other rules off.

    `inputs` is filled by the first run: path -> content id of what the answer rests on.
    """

    repo: Repository
    bundle: Snapshot
    data: DataVersion
    command: Sequence[str]
    timeout: float | None
    environment: Mapping[str, str]
    inputs: dict[str, BlobId] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._data = laid(self.data, self.bundle)

    @property
    def by_itself(self) -> bool:
        """Whether the command is told which rules are off, and so no file is edited."""
        return any("{off}" in word for word in self.command)

    def obstacle(self, file: RuleFile, rule: str) -> str | None:
        """Return why a rule can't be switched off, None when it can."""
        try:
            if not self.by_itself:
                without(file, (rule,))
        except CannotEdit as reason:
            return f"it cannot be switched off here: {reason}"
        return None

    def measure(self, file: RuleFile, off: Sequence[str] = ()) -> Measured:
        """Return the metrics with some rules of a file off. Raises CommandFailed saying which were."""
        edited = {file.path: without(file, off)} if off and not self.by_itself else {}
        with scratch(self.repo, self.bundle.artifacts, {**self._data, **edited}) as place:
            try:
                if self.inputs:
                    return self._run(place, self.environment, off)
                with observe(place.folder, place.notes, self.bundle.artifacts, self.environment) as seen:
                    found = self._run(place, seen.environment, off)
                self.inputs = self._rests_on(seen.seen.read)
                return found
            except CommandFailed as error:
                about = f" without {' and '.join(off)}" if off else ""
                raise CommandFailed(f"{error.message}{about}", hint=error.hint) from None

    def _run(self, place: Scratch, environment: Mapping[str, str], off: Sequence[str]) -> Measured:
        places = {"data": self.data.path, "off": ",".join(off)}
        return measure(place, self.command, timeout=self.timeout, environment=environment, **places)

    def bundled(self) -> dict[str, BlobId]:
        """Return what an answer rests on that no run was needed for."""
        return self._rests_on(frozenset())

    def _rests_on(self, read: frozenset[str]) -> dict[str, BlobId]:
        artifacts = self.bundle.artifacts
        found = {path: a.id for path, a in artifacts.items() if a.kind in _SERVED or path in read}
        return found | {self.data.path: self.data.id}


def without(file: RuleFile, off: Sequence[str]) -> bytes:
    """Return the bytes of a file of rules without some of them; CannotEdit when the format forbids it."""
    snapshot = file.snapshot
    return file.kind.edit(snapshot.source(file.path), snapshot.spec(file.path), dict.fromkeys(off, MISSING))


def laid(data: DataVersion, bundle: Snapshot) -> dict[str, Artifact | bytes | None]:
    """Return the change that puts the data in its place; none when the bundle has these very bytes."""
    if bundle.holds(data.path) and bundle.find(data.path).id == data.id:
        return {}
    found = data.snapshot.find(data.path)
    if found.type == TREE:
        raise UsageError(f"{data.path} is a folder that the bundle does not hold", hint="commit it first")
    if data.commit is not None:
        return {data.path: found}
    if found.size > _LARGEST:
        raise UsageError(f"{data.path} is larger than 1 GiB and not committed", hint="commit it first")
    with data.snapshot.source(data.path).open() as stream:
        return {data.path: stream.read()}
