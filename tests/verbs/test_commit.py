"""Commit: one snapshot of everything, and what it refuses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from blake3 import blake3

from mlver.errors import NegativeAnswer, Refused, UsageError
from mlver.objects.commit import Environment
from mlver.repo.repository import Repository
from mlver.verbs.commit import commit
from mlver.verbs.log import log
from mlver.verbs.status import status
from tests.kit import Bench, Ticking


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.write("data/train.csv", "id,label\nP1,0\nP2,1\n")
    bench.write("config/pipeline.json", {"impute": "median", "C": 1.0})
    bench.write("rules/rules.json", [{"id": "R1", "when": {"column": "x", "op": ">", "value": 20}, "then": "refer"}])
    bench.write("train.py", "print('train')\n")
    return bench


def test_one_commit_holds_every_kind_and_restores_the_exact_bytes(bench: Bench) -> None:
    id = bench.commit("v1")
    snapshot = bench.reopen().snapshot(id)
    kinds = {path: artifact.kind for path, artifact in snapshot.artifacts.items()}
    assert kinds == {
        "config/pipeline.json": "config",
        "data/train.csv": "data",
        "rules/rules.json": "rules",
        "train.py": "code",
    }
    for path in kinds:
        content = (bench.root / path).read_bytes()
        with snapshot.source(path).open() as stream:
            assert stream.read() == content
        assert bytes(snapshot[path].id) == blake3(content).digest()


def test_a_second_commit_with_nothing_changed_is_a_negative_answer_and_records_nothing(bench: Bench) -> None:
    bench.commit("v1")
    before = bench.repo.state.id
    with pytest.raises(NegativeAnswer, match="nothing to commit"):
        bench.commit("v2")
    assert bench.reopen().state.id == before
    assert bench.commit("v2", allow_empty=True)


def test_an_interrupt_while_tables_are_compared_does_not_hide_that_the_commit_is_made(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison comes after the head has moved, and may take seconds: `interrupted` alone reads as `not done`."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    bench.commit("v1")
    bench.write("data/train.csv", "id,label\nP1,0\nP2,1\nP3,1\n")
    monkeypatch.setattr("mlver.verbs.message.compare_artifact", interrupted)
    made = commit(bench.repo, "v2")
    assert made.warnings == ("interrupted while changed tables were looked at; nothing else is missing",)
    assert made.commit is not None and bench.reopen().refresh().head == made.commit


def test_without_a_message_it_is_written_from_the_diff(bench: Bench) -> None:
    bench.commit("v1")
    bench.write("config/pipeline.json", {"C": 1.0, "impute": "-1"})
    bench.write("data/train.csv", "id,label\nP1,0\nP2,1\nP3,1\n")
    bench.commit()
    message = log(bench.repo).commits[0].message
    assert "impute median -> -1" in message
    assert "train.csv +1 row" in message


def test_a_written_subject_is_short_and_what_it_lacks_stands_below_it(bench: Bench) -> None:
    for number in range(6):
        bench.write(f"config/service_{number}.json", {"a_setting_with_a_long_name": "the value it had at first"})
    bench.write("rules/rules.json", [{"id": "R1", "then": "refer"}])
    bench.commit("v1")
    for number in range(6):
        bench.write(f"config/service_{number}.json", {"a_setting_with_a_long_name": "the value it has by now"})
    bench.write("rules/rules.json", [])
    message = bench.repo.commit(bench.commit()).message
    subject, empty, *body = message.split("\n")
    assert subject == "rules.json -R1; service_0.json ~1 key; service_1.json ~1 key; and 4 more"
    assert len(subject) == 72 and empty == "" and len(body) == 7
    assert body[0] == "rules.json -R1"
    assert body[6] == ("service_5.json a_setting_with_a_long_name the value it had at first -> the value it has by now")


def test_a_written_subject_of_one_long_name_is_cut(bench: Bench) -> None:
    bench.commit("v1")
    name = "x" * 200 + ".json"
    bench.write(name, {"a": 1})
    subject, _, listed = bench.repo.commit(bench.commit()).message.split("\n")
    assert len(subject) == 72 and subject.endswith("x…")
    assert listed == f"{name} added"


def test_reason_ticket_and_alert_are_kept_with_the_commit(bench: Bench) -> None:
    id = bench.commit("R2", trailers={"why": ["0 hits"], "ticket": ["TRI-31"], "alert": ["A0020"]})
    stored = bench.reopen().commit(id)
    assert stored.why == "0 hits"
    assert stored.trailers["ticket"] == ("TRI-31",)
    assert [c.id for c in log(bench.repo, grep="tri-31").commits] == [id]


def test_part_of_the_work_tree_can_be_committed(bench: Bench) -> None:
    bench.commit("v1")
    bench.write("train.py", "print('other')\n")
    bench.write("data/train.csv", "id,label\nP1,1\n")
    bench.commit("code only", paths=["train.py"])
    left = [(c.path, c.change) for c in status(bench.repo).changes]
    assert left == [("data/train.csv", "modified")]
    with pytest.raises(UsageError, match="nothing to commit at nowhere"):
        commit(bench.repo, "x", paths=["nowhere"])


def test_paths_outside_the_work_tree_are_refused(bench: Bench) -> None:
    with pytest.raises(UsageError, match="outside the work tree"):
        commit(bench.repo, "x", paths=["../elsewhere"])


def test_special_files_are_named_and_nothing_is_recorded(bench: Bench) -> None:
    os.mkfifo(bench.root / "data" / "pipe")
    before = bench.repo.state.id
    with pytest.raises(Refused, match=r"data/pipe.*pipe"):
        bench.commit("x")
    assert bench.reopen().state.id == before
    bench.write(".mlverignore", "pipe\n")
    assert bench.commit("x")


def test_a_dry_run_writes_nothing(bench: Bench) -> None:
    before = sorted(p for p in bench.root.rglob("*") if "cache" not in p.parts)
    result = commit(bench.repo, None, dry_run=True)
    assert result.commit is None and len(result.changes) == 4
    assert sorted(p for p in bench.root.rglob("*") if "cache" not in p.parts) == before


def test_same_inputs_give_the_same_ids(tmp_path: Path) -> None:
    ids = []
    for name in ("one", "two"):
        bench = Bench(tmp_path / name)
        bench.write("data/a.csv", "id,x\n1,2\n")
        ids.append(bench.commit("v1"))
    assert ids[0] == ids[1]


def test_the_environment_is_recorded(bench: Bench) -> None:
    stored = bench.repo.commit(bench.commit("v1"))
    assert stored.environment is not None
    environment = bench.repo.store.get_object(Environment, stored.environment)
    assert environment.python.count(".") == 2
    assert "pyarrow" in environment.packages


def test_git_is_recorded_with_its_patch_and_left_untouched(bench: Bench) -> None:
    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@x", *words],
            cwd=bench.root, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    git("init", "-q", "-b", "work")
    git("add", "train.py")
    git("commit", "-qm", "code")
    bench.write("train.py", "print('dirty now')\n")
    index = (bench.root / ".git/index").read_bytes()
    before = git("--no-optional-locks", "status", "--porcelain")
    stored = bench.repo.commit(bench.commit("v1"))
    assert stored.git is not None and stored.git.branch == "work"
    assert stored.git.commit == git("rev-parse", "HEAD").strip()
    assert stored.git.patch is not None
    assert b"+print('dirty now')" in bench.repo.store.get(stored.git.patch)
    assert (bench.root / ".git/index").read_bytes() == index
    assert git("--no-optional-locks", "status", "--porcelain") == before


def test_two_commits_at_once_both_land_in_a_line(bench: Bench) -> None:
    other = Repository.open(bench.root, actor="ben", clock=Ticking())
    bench.write("a.txt", "a")
    started = other.refresh()
    first = bench.commit("first")
    assert started.head is None
    bench.write("b.txt", "b")
    second = commit(other, "second").commit
    assert second is not None
    assert bench.reopen().commit(second).parents == (first,)


def test_names_with_newlines_and_quotes_survive(bench: Bench) -> None:
    odd = "data/new\nline 'quoted' \u202e.txt"
    bench.write(odd, "x")
    id = bench.commit("odd")
    assert odd in bench.reopen().snapshot(id)


def test_deleting_the_cache_changes_no_answer(bench: Bench) -> None:
    import shutil

    first = bench.commit("v1")
    bench.write("train.py", "print('2')\n")
    second = bench.commit("v2")
    before = [c.id for c in log(bench.repo).commits]
    bench.repo.close()
    shutil.rmtree(bench.root / ".mlver" / "cache")
    repo = bench.reopen()
    assert [c.id for c in log(repo).commits] == before == [second, first]
    assert status(repo).clean
    assert repo.resolve(str(first)[:8]) == first


def test_a_model_that_runs_code_when_loaded_is_said_at_commit(bench: Bench) -> None:
    bench.write("models/evil.pkl", b"cposix\nsystem\n(S'true'\ntR.")
    result = commit(bench.repo, "a gift")
    assert [w for w in result.warnings if "models/evil.pkl" in w and "posix.system" in w]
