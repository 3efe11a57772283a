"""Making artifacts anew in a scratch folder, by the steps that were recorded for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from mlver.errors import NegativeAnswer
from mlver.frozen import frozen
from mlver.objects.commit import Derivation
from mlver.objects.ids import BlobId, DerivationId
from mlver.repo.programs import Ran
from mlver.repo.recorded import read_derivation
from mlver.repo.scratch import Scratch
from mlver.repo.steps import METRICS

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


class NotRebuilt(NegativeAnswer):
    """A recorded step failed, or there is none to run."""

    code = "not-rebuilt"


@frozen
class Rebuilt:
    """One step that was run again."""

    derivation: Derivation
    ran: Ran

    @property
    def name(self) -> str:
        """What the step is called: its name, else its first words."""
        return step_name(self.derivation)


def step_name(derivation: Derivation) -> str:
    """Return what a step is called: its name, else its command."""
    return derivation.name or " ".join(derivation.command[:3])


def steps(repo: Repository, recorded: Iterable[DerivationId], *, metrics: bool = False) -> list[Derivation]:
    """Return the steps that can be run again, each after those whose outputs it reads.

    Of several that write the same file the first counts. Steps that only write metrics are left out unless
    asked for.
    """
    found: list[Derivation] = []
    written: set[str] = set()
    for id in dict.fromkeys(recorded):
        one = read_derivation(repo.store, id)
        paths = {output.path for output in one.outputs if metrics or output.kind != METRICS}
        if one.command and paths and not paths & written:
            found.append(one)
            written |= paths
    ordered: list[Derivation] = []
    waiting = found
    while waiting:
        made = [{output.path for output in one.outputs} for one in waiting]
        ready = [one for n, one in enumerate(waiting) if not _reads(one, made[:n] + made[n + 1 :])]
        ordered += ready or waiting  # a circle of steps has no right order
        waiting = [one for one in waiting if one not in ready] if ready else []
    return ordered


def _reads(step: Derivation, made: Iterable[set[str]]) -> bool:
    inputs = {used.path for used in step.inputs}
    return any(inputs & paths for paths in made)


def rebuild(
    scratch: Scratch,
    todo: Iterable[Derivation],
    held: Mapping[str, BlobId],
    *,
    always: bool = False,
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[Rebuilt]:
    """Run every step whose inputs, as `held` in the scratch folder, are not those it was recorded with.

    `always` runs them all. Returns what was run. Raises NotRebuilt naming the step that fails.
    """
    done: list[Rebuilt] = []
    remade: set[str] = set()
    for step in todo:
        if not always and not _stale(step, held, remade):
            continue
        scratch.make_room(output.path for output in step.outputs)
        ran = scratch.run(step.command, timeout=timeout, environment=environment)
        if ran.trouble:
            raise NotRebuilt(f"step {step_name(step)} {ran.trouble}", hint="nothing was changed")
        done.append(Rebuilt(step, ran))
        remade |= {output.path for output in step.outputs}
    return done


def _stale(step: Derivation, held: Mapping[str, BlobId], remade: Collection[str]) -> bool:
    if any(used.path in remade or held.get(used.path) != used.id for used in step.inputs):
        return True
    return any(output.kind != METRICS and held.get(output.path) != output.id for output in step.outputs)
