"""Two faults in a row: a process is killed, or an fsync fails, the command is given again, and then the power goes.

What the first left behind may be seen and yet not be durable; the second must not rely on it. Each fault has a process
of its own, forked before the act, so that the story up to there is told once.
"""

from __future__ import annotations

import os
import pickle
import shutil
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from mlver.errors import MlverError
from mlver.storage.syscalls import OsCalls
from mlver.testing import Killed, faulty_calls
from mlver.verbs.note import add_note
from tests.fault.powerloss import Campaign, Tally, scratch
from tests.fault.powerloss_record import CHANGING
from tests.fault.powerloss_story import ACTS, SEED, Act, Layer, Teller, recording

_FAILED = "fsync"


def broken(
    acts: Sequence[Act] = ACTS,
    seed: int = SEED,
    *,
    layer: Layer | None = None,
    first: int = 1,
    step: int = 1,
    only: str = "",
    of: Sequence[Act] = (),
    per_cut: int = 32,
    enough: int = 1 << 60,
) -> Tally:
    """Break each of the acts (if `of` is given: of these) at every `step`-th of its calls, from the `first` on.

    `only` names one kind of fault. Ends after the act that made the violations `enough`.
    """
    tally = Tally()
    with scratch() as world:
        teller = Teller(world, layer)
        with recording(teller.calls):
            teller.begin()
            for act in acts:
                teller.prepare(act)
                for kind in (_FAILED, "kill"):
                    if only in (kind, "") and (not of or act in of):
                        tally.add(_each(teller, act, kind, range(first, 1 << 20, step), seed, per_cut))
                    if len(tally.violations) >= enough:
                        return tally
                teller.run(act)
                teller.known(act.name)
            teller.story.recorder.check()
    return tally


def _each(teller: Teller, act: Act, kind: str, numbers: range, seed: int, per_cut: int) -> Tally:
    """Break the act at one call after the other until it has no more."""
    tally = Tally()
    backup = teller.world.with_name("backup")
    shutil.copytree(teller.world, backup, symlinks=True)
    for at in numbers:
        found = _forked(partial(_break, teller, act, kind, at, seed, per_cut))
        shutil.rmtree(teller.world)
        shutil.copytree(backup, teller.world, symlinks=True)
        if found is None:
            break
        tally.add(found)
    shutil.rmtree(backup)
    return tally


def _forked(work: Callable[[], Tally | None]) -> Tally | None:
    """Return what `work` finds in a process of its own."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with os.fdopen(into, "wb") as stream:
                pickle.dump(work(), stream)
            code = 0
        except BaseException:  # noqa: BLE001 - this process ends here; the other sees that it failed
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(into)
    with os.fdopen(out, "rb") as stream:
        data = stream.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, "the process that was to break an act died"
    found: Tally | None = pickle.loads(data)  # written by ourselves just now
    return found


def _break(teller: Teller, act: Act, kind: str, at: int, seed: int, per_cut: int) -> Tally | None:
    """Break the act at call `at`, run it again, and look at what a cut leaves then; None past its last call."""
    moment = teller.clock.moment
    if not _first(teller, act, kind, at):
        return None
    teller.clock.moment = moment  # within the same second: the very same objects and operations
    try:
        teller.run(act)
    except (MlverError, OSError):  # it may be refused for what was done already; that acknowledges nothing
        teller.story.recorder.write_back("repo")
        teller.run(Act("note", lambda repo: add_note(repo, "HEAD", "it was refused")))
    teller.known(f"{act.name}, {kind} {at}, again")
    with recording(OsCalls(), seed + 1000):  # names of temporary files are others than those recorded
        campaign = Campaign(teller.story, teller.world, seed + at, 1 << 60)
        campaign.looks = 1
        tally = campaign.run(per_cut, first=len(teller.story.recorder.events) - 1)
    tally.broken = 1
    shutil.rmtree(campaign.layout.pool)
    return tally


def _first(teller: Teller, act: Act, kind: str, at: int) -> bool:
    """Run the act with a fault; whether it fired."""
    recorder = teller.story.recorder
    if kind == _FAILED:
        recorder.fail_fsync(at)
        with suppress(MlverError, OSError):
            teller.run(act)
        fired = recorder.failed
        recorder.fail_fsync(0)
        return fired
    with faulty_calls(at, Killed, CHANGING) as rig, suppress(Killed):
        teller.run(act)
    return rig.fired
