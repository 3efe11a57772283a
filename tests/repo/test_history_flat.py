"""What is read to answer does not grow with history: objects and operations are counted, not seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mlver.repo import head as head_of_log
from mlver.repo import repository
from mlver.repo.repository import Repository
from mlver.store.object_store import ObjectStore
from mlver.verbs.alerts import alert_stats
from mlver.verbs.blame import blame
from mlver.verbs.commit import commit
from mlver.verbs.deployed import deployed
from mlver.verbs.log import log
from mlver.verbs.metrics import add_metrics, show_metrics
from mlver.verbs.promote import promote
from mlver.verbs.rollback import rollback
from mlver.verbs.show import show
from mlver.verbs.status import status
from tests.kit import START, Bench
from tests.repo.history_lines import line, record

SHORT, LONG = 40, 160

ASKED: dict[str, Callable[[Repository], object]] = {
    "log -n": lambda repo: log(repo, limit=10),
    "log": lambda repo: log(repo, brief=True),
    "log PATH": lambda repo: log(repo, paths=["hot.json"], limit=5),
    "status": status,
    "blame of a key": lambda repo: blame(repo, "hot.json#n", limit=5),
    "blame of an old key": lambda repo: blame(repo, "hot.json#old"),
    "blame of a file": lambda repo: blame(repo, "cold.json"),
    "blame of all": lambda repo: blame(repo, "HEAD"),
    "show": show,
    "show of what is live": lambda repo: show(repo, "prod"),
    "deployed": lambda repo: deployed(repo, "prod"),
    "deployed at": lambda repo: deployed(repo, "prod", at=START + timedelta(days=1)),
    "alerts stats": alert_stats,
    "metrics show": show_metrics,
}
DONE: dict[str, Callable[[Bench], object]] = {
    "commit": lambda bench: (bench.write("hot.json", {"n": "new"}), commit(bench.repo, "new")),
    "promote": lambda bench: promote(bench.repo, "prod", "HEAD~1", reason="r"),
    "rollback": lambda bench: rollback(bench.repo, "prod", reason="r"),
}


class Reads:
    """How many objects and operations were read."""

    objects = operations = 0

    def __repr__(self) -> str:
        return f"{self.objects} objects, {self.operations} operations"


@contextmanager
def counted() -> Iterator[Reads]:
    """Count what is read from the store and from the operation log within the block."""
    found = Reads()
    read, operation = ObjectStore._read, head_of_log.read_operation

    def count_object(self: ObjectStore, *words: Any) -> bytes:
        found.objects += 1
        return read(self, *words)

    def count_operation(*words: Any) -> Any:
        found.operations += 1
        return operation(*words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ObjectStore, "_read", count_object)
        patch.setattr(head_of_log, "read_operation", count_operation)
        patch.setattr(repository, "read_operation", count_operation)
        yield found


def _history(folder: Path, length: int) -> Bench:
    """A straight history with an operation for each of its last commits, and three promotions long ago."""
    bench = Bench(folder)
    made = record(bench, line(length))
    for id in made[-3:]:
        promote(bench.repo, "prod", str(id), reason="r")
    add_metrics(bench.repo, "HEAD", {"recall": 0.5})
    for number in range(length // 4):
        add_metrics(bench.repo, str(made[number]), {"recall": number / length})
    for path in ("hot.json", "cold.json"):
        bench.write(path, {"n": 0})
    bench.commit("by hand")
    bench.repo.close()
    return bench


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Bench]:
    short, long = (_history(tmp_path_factory.mktemp(str(length)), length) for length in (SHORT, LONG))
    return short, long


def _reads(bench: Bench, ask: Callable[[Any], object], of: str) -> Reads:
    for _ in range(2):  # caches are filled by the first
        repo = bench.reopen()
        with counted() as found:
            ask(repo if of == "repo" else bench)
        repo.close()
    return found


@pytest.mark.parametrize("name", ASKED)
def test_a_question_reads_no_more_of_a_longer_history(histories: tuple[Bench, Bench], name: str) -> None:
    short, long = (_reads(bench, ASKED[name], "repo") for bench in histories)
    assert long.objects <= short.objects + 2, f"{short} became {long}"
    assert long.operations <= short.operations + 1, f"{short} became {long}"


@pytest.mark.parametrize("name", DONE)
def test_a_change_reads_no_more_of_a_longer_history(tmp_path: Path, name: str) -> None:
    benches = [_history(tmp_path / str(length), length) for length in (SHORT, LONG)]
    for bench in benches:
        status(bench.reopen())
        bench.repo.close()
    short, long = [_once(bench, DONE[name]) for bench in benches]
    assert long.objects <= short.objects + 2, f"{short} became {long}"
    assert long.operations <= short.operations + 1, f"{short} became {long}"


def _once(bench: Bench, act: Callable[[Bench], object]) -> Reads:
    for ask in (status, log, show):
        ask(bench.reopen())
        bench.repo.close()
    bench.reopen()
    with counted() as found:
        act(bench)
    bench.repo.close()
    return found


def test_the_counter_sees_a_walk(histories: tuple[Bench, Bench]) -> None:
    short, long = (_reads(bench, log, "repo") for bench in histories)
    assert long.objects - short.objects >= LONG - SHORT
