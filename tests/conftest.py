"""What every test stands on: no settings of the person who runs it, no clock, no chance."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.audited.plugin import install, nothing_runs_out_of_data

__all__ = ["nothing_runs_out_of_data"]
install()

# The same examples in every run, and none fails for being slow. MLVER_EXPLORE=1 looks for new ones.
settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("explore" if os.environ.get("MLVER_EXPLORE") else "same")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Run the tests of the demo in one process: they share a night that takes more than a minute to play."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "the night" if nodeid.startswith("tests/demo/") else nodeid

    return Together(config, log)


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
