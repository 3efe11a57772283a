"""The repository's state: operations, views, facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from mlver.frozen import frozen
from mlver.objects.encoding import Plain
from mlver.objects.ids import BlobId, CommitId, DerivationId, FactBatchId, OperationId

EVERYONE = ""  # the scope of a stage that serves all


@frozen
class Live:
    """One commit made live: who moved it, when, why and by which action (`promote`, `rollback`).

    `release` names the folder of released files; `evidence` is what the person who moved it saw.
    `percent` is the share of the traffic it gets; what was live before keeps the rest.
    """

    commit: CommitId
    since: datetime
    actor: str
    reason: str
    action: str
    release: str | None = None
    evidence: Plain = None
    percent: int = 100


@frozen
class Clash:
    """One conflict of a merge that is open: a unit, or (`unit` None) a whole artifact.

    `taken` is `ours` or `theirs` once somebody said so; a conflict can also be resolved by editing the file.
    """

    path: str
    unit: str | None = None
    taken: str | None = None

    @property
    def target(self) -> str:
        """`PATH#UNIT`, or `PATH`."""
        return self.path if self.unit is None else f"{self.path}#{self.unit}"


@frozen
class Merging:
    """A merge or revert (`action`) that waits for its commit.

    The changes from `base` to `theirs` were laid over HEAD, which was `ours`. `parents` are what the commit
    gets besides HEAD, `name` is what was asked for. `files` maps a path to the blob that was left in the work
    tree (None: the file was removed).
    """

    action: str
    name: str
    base: CommitId
    ours: CommitId
    theirs: CommitId
    message: str
    parents: tuple[CommitId, ...] = ()
    trailers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, BlobId | None] = field(default_factory=dict)
    clashes: tuple[Clash, ...] = ()


@frozen
class Move:
    """One move of a stage that another repository recorded: from `time` on, `live` served `scope` (None: nothing did).

    `operation` is the operation there that made it, `undo` whether that took another one back.
    """

    operation: OperationId
    stage: str
    scope: str
    live: Live | None
    time: datetime
    actor: str
    undo: bool = False


@frozen
class Tracked:
    """Another repository as it was last seen: number and id of its newest operation, and its branches."""

    number: int
    operation: OperationId
    branches: Mapping[str, CommitId]


@frozen
class View:
    """All that can change, at one operation.

    `branch` is the branch HEAD is on; when it is None, `detached` is HEAD's commit. `stages` maps
    stage -> scope -> what is live there (scope `""` is everyone). `pending` maps a path to the
    derivation that `mlver run` recorded for it and no commit holds yet. `facts` heads the fact log.
    `merging` is the merge that is open. `remotes` are other repositories by the name they have here.
    """

    branch: str | None = "main"
    detached: CommitId | None = None
    branches: Mapping[str, CommitId] = field(default_factory=dict)
    tags: Mapping[str, CommitId] = field(default_factory=dict)
    stages: Mapping[str, Mapping[str, Live]] = field(default_factory=dict)
    pending: Mapping[str, DerivationId] = field(default_factory=dict)
    facts: FactBatchId | None = None
    merging: Merging | None = None
    remotes: Mapping[str, Tracked] = field(default_factory=dict)

    @property
    def head(self) -> CommitId | None:
        """The commit HEAD names, None before the first commit."""
        return self.detached if self.branch is None else self.branches.get(self.branch)


@frozen
class Operation:
    """One change of the state. `number` counts from 0; `undoes` is set by `mlver undo`.

    `joined` are moves of stages that came from another repository with this operation, oldest first.
    `condemned` is set by gc and repair alone: packs, by name, that nothing may rely on from this operation on.
    `collected` is the newest operation before this one that has it. `twin` tells apart operations that are the same
    in all else: two people may type the same within a second, and each must be able to take back its own.
    """

    number: int
    parent: OperationId | None
    time: datetime
    actor: str
    command: str
    view: View
    reason: str | None = None
    undoes: OperationId | None = None
    joined: tuple[Move, ...] = ()
    condemned: tuple[str, ...] | None = None
    collected: OperationId | None = None
    twin: int = 0


@frozen
class Fact:
    """Something learned about a subject after it was made.

    `type` is `metric`, `alert`, `action`, `note` or `mark`. `subject` names what it is about
    (`commit`, `path`, `stage`, `scope`, `alert`: each a text, ids as hex). `at` is when it
    happened, `known` when it was recorded here, `by` who recorded it.
    """

    type: str
    subject: Mapping[str, str]
    body: Mapping[str, Plain]
    at: datetime
    known: datetime
    by: str


@frozen
class FactBatch:
    """One link of the fact log: some facts, and the links that were the log's heads before."""

    parents: tuple[FactBatchId, ...]
    facts: tuple[Fact, ...]
