"""What every test stands on: no settings of the person who runs it, no clock, no chance."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.audited.plugin import install, nothing_runs_out_of_data
from tests.disk import nobody_waits

__all__ = ["nothing_runs_out_of_data"]
install()
nobody_waits()

# The same examples in every run, and none fails for being slow. MLVER_EXPLORE=1 looks for new ones.
settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("explore" if os.environ.get("MLVER_EXPLORE") else "same")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deal out the tests of a file together, those of the demo, which share a night, too."""
    from tests.spread import Dealt

    config.option.loadscopereorder = False  # it has the order of the collection
    return Dealt(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Share the work of compiling among the processes; look for garbage only in what comes after.

    Modules and six thousand tests stay to the end: a collection that looked at them again took half a second.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker:
        from tests.spread import compile_a_share

        compile_a_share(worker, session.config.args)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """What is there after the last test of a file stays, too: fixtures, answers kept, modules loaded late."""
    done = yield
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()
    return done


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    if hasattr(config, "workerinput"):
        from tests.spread import longest_first

        longest_first(items)


@pytest.fixture(autouse=True, scope="session")
def _nobodys_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the environment's mlver and git settings and the home folder, also from subprocesses."""
    home: Path = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("MLVER_", "GIT_")) or name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "PAGER"):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("COLUMNS", "80")
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # each process would compile all of mlver anew: 0.3 s
        for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # small models: several threads only wait
            patch.setenv(threads, "1")
        yield
