"""The Python API: the same verbs as the command line, typed results, files that read what they need."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import joblib
import numpy as np
import pytest

import mlver
import mlver.cli.commands
from mlver import errors
from mlver.repo.repository import Repository


@pytest.fixture
def repo(tmp_path: Path) -> mlver.Repo:
    repo = mlver.Repo.init(tmp_path, author="ana", clock=mlver.frozen_clock(datetime(2024, 4, 1, tzinfo=UTC)))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train.csv").write_text("id,x\n1,2\n2,3\n")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/c.json").write_text('{"C": 1.0}')
    return repo


def test_a_block_of_python_is_recorded_as_what_made_its_output(repo: mlver.Repo) -> None:
    with repo.run("train", inputs=["data/train.csv", "config/c.json"], parameters={"seed": 0}) as run:
        (repo.root / "models").mkdir()
        joblib.dump({"w": np.arange(3.0)}, repo.root / "models/m.joblib")
        run.parameters["rows"] = 2
    assert run.result is not None
    assert [used.path for used in run.result.outputs] == ["models/m.joblib"]
    repo.commit("v1")
    lineage = repo.lineage("models/m.joblib")
    node = next(n for n in lineage.nodes if n.path == "models/m.joblib")
    assert node.how is not None and node.how["source"] == "api" and node.how["name"] == "train"
    assert node.how["parameters"] == {"seed": 0, "rows": 2}
    assert {n.path for n in lineage.nodes} >= {"data/train.csv", "config/c.json"}


def test_a_block_that_names_its_command_can_be_reproduced(repo: mlver.Repo) -> None:
    program = "import pathlib; pathlib.Path('models/m.json').write_text(open('config/c.json').read())"
    (repo.root / "models").mkdir()  # by hand: no program made it
    for command, says in (([sys.executable, "-c", program], "same bytes"), ([sys.executable, "-c", ""], "not written")):
        with repo.run("train", inputs=["config/c.json"], outputs=["models/m.json"], command=command):
            (repo.root / "models/m.json").write_text((repo.root / "config/c.json").read_text())
        commit = repo.commit(says).commit
        (step,) = repo.reproduce(str(commit)).steps
        assert [(one.path, one.verdict) for one in step.outputs] == [("models/m.json", says)]


def test_a_block_that_raises_records_nothing(repo: mlver.Repo) -> None:
    repo.commit("v1")
    before = repo.repository.state.id
    with pytest.raises(ZeroDivisionError), repo.run("train"):
        (repo.root / "out.txt").write_text("half")
        _ = 1 / 0
    assert repo.repository.refresh() == repo.repository.view
    assert repo.repository.state.id == before


def test_an_artifact_of_a_stage_opens_as_a_seekable_file(repo: mlver.Repo) -> None:
    (repo.root / "models").mkdir()
    joblib.dump({"w": np.arange(1000.0)}, repo.root / "models/m.joblib")
    repo.commit("v1")
    repo.promote("prod", reason="first")
    (repo.root / "models/m.joblib").write_bytes(b"overwritten")
    with mlver.open("models/m.joblib@prod", repo=repo.root) as stream:
        assert stream.seekable()
        assert joblib.load(stream)["w"].sum() == 499500.0
        stream.seek(-4, os.SEEK_END)
        assert len(stream.read()) == 4


def test_a_large_artifact_is_read_by_the_chunks_it_needs(repo: mlver.Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    content = np.random.default_rng(3).bytes(4 << 20)
    (repo.root / "big.bin").write_bytes(content)
    repo.commit("v1")
    storage, sizes = repo.repository.storage, []
    read = storage.read

    def counting(key: str, start: int = 0, length: int | None = None) -> bytes:
        data = read(key, start, length)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(storage, "read", counting)
    with repo.open_artifact("big.bin@HEAD") as stream:
        stream.seek(3_000_000)
        assert stream.read(10) == content[3_000_000:3_000_010]
    assert 0 < sum(sizes) < 800_000, "the list and a chunk or two, not four megabytes"


def test_the_same_moves_as_on_the_command_line(repo: mlver.Repo) -> None:
    first = repo.commit("v1")
    (repo.root / "config/c.json").write_text('{"C": 2.0}')
    repo.commit("v2", trailers={"why": ["better"]})
    assert [c.message for c in repo.log().commits] == ["v2", "v1"]
    assert repo.diff("HEAD~1", "HEAD").artifacts[0].changes[0].new == 2.0
    assert repo.blame("config/c.json#C").units[0].why == "better"
    repo.metrics.add("HEAD", {"recall": 0.9})
    assert repo.metrics.show("HEAD").values[0].value == 0.9
    repo.promote("prod", "HEAD~1")
    repo.promote("prod")
    repo.alerts.add("drop", severity="page", at=datetime(2024, 4, 1, tzinfo=UTC))
    assert repo.rollback("prod", reason="A1").new == first.commit
    assert repo.deployed("prod").commit == first.commit
    repo.notes.add("HEAD", "went wrong", mark="bad")
    assert repo.notes.ls().notes[0].mark == "bad"
    assert repo.fsck().ok
    assert repo.read("config/c.json@HEAD~1") == b'{"C": 1.0}'
    repo.undo()
    assert repo.notes.ls().notes == ()


def test_results_are_frozen_and_turn_into_json(repo: mlver.Repo) -> None:
    result = repo.commit("v1")
    document = result.to_dict()
    assert document["schema"] == "mlver.commit/v1"
    assert json.loads(json.dumps(document))["commit"] == str(result.commit)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.message = "other"  # type: ignore[misc]


def test_errors_mirror_the_exit_codes(repo: mlver.Repo, tmp_path: Path) -> None:
    with pytest.raises(errors.UnknownRevision):
        repo.diff("nope", "HEAD")
    with pytest.raises(errors.UsageError, match="not a mlver repository"):
        mlver.Repo.open("/")
    repo.commit("v1")
    with pytest.raises(errors.NegativeAnswer):
        repo.commit("v2")
    raised = [e for _, e in inspect.getmembers(errors, inspect.isclass) if issubclass(e, errors.MlverError)]
    assert {e.exit_code for e in raised} == {1, 2, 3, 4, 5, 6, 7, 8}


def _called_by_the_cli() -> list[str]:
    """Every function that a module of mlver.cli.commands imports from a verb."""
    found = set()
    for path in Path(mlver.cli.commands.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mlver.verbs"):
                module = importlib.import_module(str(node.module))
                names = [alias.name for alias in node.names]
                found |= {getattr(module, n).__name__ for n in names if inspect.isfunction(getattr(module, n))}
    return sorted(found)


def test_the_command_line_has_no_ability_the_api_lacks() -> None:
    wrapped = {"init", "clone"}  # Repo.init, Repo.clone
    properties = [value for value in vars(mlver.Repo).values() if isinstance(value, property)]
    groups = [value for value in properties if value is not mlver.Repo.root]
    for cls in (mlver.Repo, *(type(group.fget(_Nothing())) for group in groups)):
        for _, method in inspect.getmembers(cls, inspect.isfunction):
            wrapped.add(getattr(method, "__wrapped__", method).__name__)
    called = _called_by_the_cli()
    assert len(called) > 25
    assert [name for name in called if name not in wrapped] == []


class _Nothing:
    repository: Repository | None = None
