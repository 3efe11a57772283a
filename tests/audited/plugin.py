"""Installs the watch of `sitecustomize.py` in the tests' own process and in every process they start."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audited import sitecustomize as watch


def install() -> Path:
    """Watch this process and all that it starts from now on; return the log.

    A process with `-I` is not watched: that of `diff --predict`, which has walls of its own.
    """
    if watch.LOG not in os.environ or not Path(os.environ[watch.LOG]).parent.is_dir():
        folder = tempfile.mkdtemp(prefix="audit-")
        os.environ[watch.LOG] = f"{folder}/log"
        watch._log = os.environ[watch.LOG]
    _put_on_path(os.environ)
    if not hasattr(subprocess.Popen.__init__, "watched"):
        subprocess.Popen.__init__ = _watched(subprocess.Popen.__init__)  # type: ignore[method-assign]
    return Path(os.environ[watch.LOG])


def _put_on_path(environment: Any) -> None:
    paths = environment.get("PYTHONPATH", "")
    if watch.HERE not in paths.split(os.pathsep):
        environment["PYTHONPATH"] = f"{watch.HERE}{os.pathsep}{paths}" if paths else watch.HERE


def _watched(start: Any) -> Any:
    """Return the constructor of Popen that hands the watch on, also to a process with an environment of its own."""

    @functools.wraps(start)
    def begin(self: Any, *args: Any, **how: Any) -> None:
        given = how.get("env")
        if given is not None:
            environment = {os.fsdecode(name): os.fsdecode(value) for name, value in given.items()}
            environment.setdefault(watch.LOG, os.environ[watch.LOG])
            _put_on_path(environment)
            how["env"] = environment
        start(self, *args, **how)

    begin.watched = True  # type: ignore[attr-defined]
    return begin


@pytest.fixture(autouse=True)
def nothing_runs_out_of_data() -> Iterator[None]:
    """Fail the test during which mlver ran code out of data, here or in a process it started."""
    log = Path(os.environ[watch.LOG])
    before = log.stat().st_size if log.exists() else 0
    yield
    if log.exists() and log.stat().st_size > before:
        with log.open() as stream:
            stream.seek(before)
            pytest.fail(f"code was run out of data:\n{stream.read()}")
