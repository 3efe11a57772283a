"""A commit, and how its artifacts were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from mlver.frozen import frozen
from mlver.objects.encoding import Plain
from mlver.objects.ids import BlobId, CommitId, DerivationId, EnvironmentId, FactBatchId, TreeId


@frozen
class Environment:
    """Where something ran: interpreter, platform and installed packages (name -> version)."""

    python: str
    implementation: str
    platform: str
    packages: Mapping[str, str] = field(default_factory=dict)


@frozen
class GitState:
    """The git work tree around a commit: its commit id, branch, and the uncommitted patch as a blob."""

    commit: str
    branch: str | None = None
    patch: BlobId | None = None


@frozen
class Used:
    """An artifact by content: its path, the id of its bytes and its kind."""

    path: str
    id: BlobId
    kind: str = "file"


@frozen
class Derivation:
    """How `outputs` were made from `inputs`.

    `source` says who told us: `run` (mlver ran and watched the command), `api`, or `declared`
    (`[lineage]` of mlver.toml). `observed` is true when the inputs are what was seen to be read.
    `seconds` is the wall time of the command, `exit` its status.
    """

    source: str
    inputs: tuple[Used, ...]
    outputs: tuple[Used, ...]
    command: tuple[str, ...] = ()
    name: str | None = None
    parameters: Mapping[str, Plain] = field(default_factory=dict)
    environment: EnvironmentId | None = None
    started: datetime | None = None
    seconds: float | None = None
    exit: int | None = None
    observed: bool = False
    git: GitState | None = None


@frozen
class Commit:
    """A snapshot of all artifacts together.

    `trailers` holds `why`, `ticket`, `alert` and the like, each a list of texts. `derivations`
    maps the path of an artifact to how it was made. `facts` pins the fact log as it was known.
    """

    tree: TreeId
    parents: tuple[CommitId, ...]
    author: str
    time: datetime
    message: str
    trailers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environment: EnvironmentId | None = None
    git: GitState | None = None
    parameters: Mapping[str, Plain] = field(default_factory=dict)
    derivations: Mapping[str, DerivationId] = field(default_factory=dict)
    facts: FactBatchId | None = None

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.split("\n", 1)[0]

    @property
    def why(self) -> str:
        """The stated reason, else the first line of the message."""
        return "; ".join(self.trailers.get("why", ())) or self.subject
