"""`run`: run a command and record what it read, what it wrote, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.kinds.base import Value
from mlver.objects.commit import Used
from mlver.objects.ids import DerivationId
from mlver.objects.result import Result
from mlver.repo.repository import Repository


@dataclass(frozen=True)
class RunResult(Result):
    """One recorded run. `observed` says that inputs are what was seen to be read; `same` that nothing changed.

    `changed` lists inputs that the command itself changed while it ran.
    """

    schema: ClassVar[str] = "mlver.run/v1"
    derivation: DerivationId | None
    command: tuple[str, ...]
    exit: int
    seconds: float
    started: datetime
    inputs: tuple[Used, ...]
    outputs: tuple[Used, ...]
    observed: bool
    same: bool
    changed: tuple[str, ...] = ()


def run(
    repo: Repository,
    command: Sequence[str],
    *,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    name: str | None = None,
    parameters: Mapping[str, Value] | None = None,
    cwd: str | None = None,
) -> RunResult:
    """Run `command` in the work tree (its output goes to ours) and record it as a derivation.

    Without `inputs` the files it was seen to read are taken, without `outputs` those it changed.
    The next commit attaches the derivation to its outputs. A command that fails is reported with
    its exit status and records nothing. Raises UsageError when the command cannot be started.
    """
    raise NotImplementedError
