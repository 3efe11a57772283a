"""`run`: run a command and record what it read, what it wrote, and where."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.commit import Derivation, Used
from mlver.objects.ids import DerivationId
from mlver.objects.result import Result
from mlver.repo.observation import Seen, observe
from mlver.repo.recording import (
    CODE,
    Before,
    assumed_inputs,
    begin,
    files_in_command,
    keep,
    measured,
    named,
    outputs_of,
    plain_parameters,
    used,
)
from mlver.repo.repository import Repository
from mlver.verbs.run_same import EarlierRun, same_run

__all__ = ["Before", "RunResult", "begin", "record", "run"]

_GRACE = 1.0  # seconds in which a command may end by itself after Ctrl-C, which the terminal sends to it as well


@frozen
class RunResult(Result):
    """One recorded run. `observed` says that inputs are what was seen to be read; `same` that nothing changed.

    `changed` lists inputs that the command itself changed while it ran, `undeclared` tracked files it was
    seen to read although other inputs were declared. `derivation` is None when the command failed or
    wrote nothing. `earlier` is the same run done before, if there is one; `skipped` that it was not done again.
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
    undeclared: tuple[str, ...] = ()
    earlier: EarlierRun | None = None
    skipped: bool = False


def run(
    repo: Repository,
    command: Sequence[str],
    *,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    name: str | None = None,
    parameters: Mapping[str, Value] | None = None,
    cwd: str | None = None,
    environment: Mapping[str, str] | None = None,
    skip_same: bool = False,
    on_same: Callable[[EarlierRun], None] | None = None,
) -> RunResult:
    """Run `command` in the work tree (its output goes to ours) and record it as a derivation.

    `inputs`, `outputs` (files, folders, globs) and `cwd` are paths in the work tree. Without `inputs` the
    files it was seen to read are taken, without `outputs` those it wrote. Scripts that it ran are inputs
    in any case. `environment` is what the command gets; None means it inherits ours and is not observed.
    The next commit attaches the derivation to its outputs. A command that fails is reported with its exit
    status and records nothing. When the same command was run already on the same inputs with the same parameters,
    `on_same` is told first, and with `skip_same` it is not run again. Raises UsageError when it cannot be started.
    """
    if not command:
        raise UsageError("no command to run", hint="mlver run -- python train.py")
    folder = repo.tree_path(cwd or ".")
    for path in outputs:
        repo.tree_path(path)
    before = begin(repo)
    earlier = same_run(repo, command, before.ids, inputs=inputs, parameters=parameters)
    if earlier is not None and on_same is not None:
        on_same(earlier)
    if earlier is not None and skip_same:
        return RunResult(
            None, tuple(command), 0, 0.0, before.started, (), (), False, True, earlier=earlier, skipped=True
        )
    if environment is None:
        seen, status = None, _execute(command, repo.root / folder, None)
    else:
        with observe(repo.root, repo.dot / "tmp", before.files, environment) as watched:
            status = _execute(command, repo.root / folder, watched.environment)
        seen = watched.seen
    if status != 0:
        return RunResult(None, tuple(command), status, before.seconds, before.started, (), (), False, False)
    recorded = record(
        repo,
        before,
        command=command,
        inputs=inputs,
        outputs=outputs,
        name=name,
        parameters=parameters,
        seen=seen,
        cwd=folder,
    )
    return replace(recorded, earlier=earlier)


def record(
    repo: Repository,
    before: Before,
    *,
    command: Sequence[str],
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    name: str | None = None,
    parameters: Mapping[str, Value] | None = None,
    source: str = "run",
    seen: Seen | None = None,
    cwd: str = "",
) -> RunResult:
    """Record what was made since `before = begin(repo)` as one derivation for the next commit to attach.

    `seen` is what was observed meanwhile, if anything was. Raises UsageError naming a declared input or
    output that is not there; then nothing is recorded.
    """
    seconds, after = before.seconds, begin(repo)
    made = outputs_of(repo, before, after, outputs)
    read = {path for path in seen.read if path in before.ids} if seen else set()
    observed = not inputs and bool(read)
    hinted = read | files_in_command(repo, command, before.ids, cwd)
    code = {one.path for one in used(repo, before, hinted) if one.kind == CODE}.difference(made)
    if inputs:
        chosen = {*named(repo, inputs, before.ids), *code}
    elif read:
        chosen = read | code
    else:
        kinds = {one.path: one.kind for one in used(repo, before, before.ids)}
        chosen = {*assumed_inputs(kinds, made), *code}
    went_in, came_out = used(repo, before, chosen), used(repo, after, made)
    derivation = Derivation(
        source=source,
        inputs=went_in,
        outputs=came_out,
        command=tuple(command),
        name=name,
        parameters=plain_parameters(parameters or {}),
        started=before.started,
        seconds=measured(repo, seconds),
        exit=0,
        observed=observed,
    )
    id = keep(repo, derivation, seen.environment if seen else None, command) if made else None
    return RunResult(
        derivation=id,
        command=tuple(command),
        exit=0,
        seconds=seconds,
        started=before.started,
        inputs=went_in,
        outputs=came_out,
        observed=observed,
        same=all(before.ids.get(path) == after.ids[path] for path in made),
        changed=tuple(one.path for one in went_in if after.ids.get(one.path) != one.id),
        undeclared=tuple(sorted(read.difference(chosen, made))) if inputs else (),
    )


def _execute(command: Sequence[str], cwd: Path, environment: Mapping[str, str] | None) -> int:
    """Run a command to its end and return its exit status, 128 + n when signal n ended it."""
    if not cwd.is_dir():
        raise UsageError(f"no such folder: {cwd}")
    try:
        process = subprocess.Popen(list(command), cwd=cwd, env=None if environment is None else dict(environment))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot run {command[0]}: {reason}", hint="mlver run -- COMMAND ARGUMENTS") from None
    try:
        with _handing_on(signal.SIGTERM, process):
            status = process.wait()
    except KeyboardInterrupt:
        _interrupt(process)
        raise
    return status if status >= 0 else 128 - status


@contextmanager
def _handing_on(number: signal.Signals, process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Hand a signal on to the command, which then decides how it ends: it must not be left behind, running."""
    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return
    before = signal.signal(number, lambda *_: process.send_signal(number))
    try:
        yield
    finally:
        signal.signal(number, before)


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Wait for an interrupted command to end; hand Ctrl-C on if it did not hear it, kill it at the second one."""
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
