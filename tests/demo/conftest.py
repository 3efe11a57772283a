"""A clinic to work in, trained and measured by its own scripts."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mlver.demo import world
from tests.demo import whole

PROJECT = Path(world.__file__).parent / "project"
Metrics = dict[str, Any]


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> whole.Whole:
    """The night, played in full; tests/conftest.py keeps all tests of this folder in one process."""
    return whole.play(tmp_path_factory.mktemp("night"))


class Clinic:
    """The clinic's project in a folder, and its scripts run in this process."""

    def __init__(self, folder: Path, scripts: dict[str, ModuleType]) -> None:
        self.folder = folder
        self._scripts = scripts

    def edit(self, *names: str) -> None:
        for name in names:
            world.edit(self.folder, name)

    def train(self) -> None:
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(io.StringIO()):
            self._scripts["train"].main()

    def measure(self, data: str, *, without: tuple[str, ...] = ()) -> Metrics:
        evaluate, triage = self._scripts["evaluate"], self._scripts["triage"]
        with contextlib.chdir(self.folder):
            table = evaluate.pd.read_csv(data)
            return json.loads(json.dumps(evaluate.evaluate(table, triage.decide(table, without))))


@pytest.fixture(scope="session")
def scripts() -> Iterator[dict[str, ModuleType]]:
    names = ("triage", "train", "evaluate")
    sys.path.insert(0, str(PROJECT))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(PROJECT))
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture
def new_clinic(tmp_path: Path, scripts: dict[str, ModuleType]) -> Callable[[str], Clinic]:
    """Lays out a clinic that starts at `week0` or `week1`."""

    def lay_out(start: str) -> Clinic:
        folder = tmp_path / start
        world.lay_out(folder, start)
        return Clinic(folder, scripts)

    return lay_out


@pytest.fixture
def clinic(new_clinic: Callable[[str], Clinic]) -> Clinic:
    """The clinic after week 1, with week 3's patients and all their labels at hand."""
    clinic = new_clinic("week1")
    clinic.edit("live_w3", "labels_w3_part3")
    return clinic
