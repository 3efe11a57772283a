"""Times questions about long histories: 100, 1,000 and 10,000 commits, as many operations, ten times as many facts.

    python -m tests.bench.history --work FOLDER [--commits 100,1000,10000] [--reps 3] [--only "log;blame"]

Makes the repositories once (a commit an hour of a metrics file, a config and some rules; a promotion every fifty, a
note every hundred), then times each command as a process of its own, warm, and with `.mlver/cache` deleted before it.
Prints a Markdown table of CPU seconds (wall seconds). Run by hand, never in CI.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from mlver.objects.commit import Commit
from mlver.objects.ids import CommitId
from mlver.objects.state import EVERYONE, Fact, Live, View
from mlver.objects.tree import BLOB
from mlver.repo.facts import append_facts
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Artifact
from mlver.repo.transaction import transact
from mlver.repo.treebuild import put_tree
from mlver.store.session import StoreSession
from tests.bench.clock import MLVER, Took, run

START = datetime(2024, 1, 1, tzinfo=UTC)
HOURLY, CONFIG, RULES = "metrics/live.json", "config/serving.json", "rules/rules.json"
_AT_ONCE = 500  # commits in one pack
_FACTS = 10  # of one commit
_PROMOTED, _LEARNT = 50, 100  # commits from one promotion, and from one batch of facts, to the next
Command = tuple[str, ...]

COMMANDS: dict[str, Command] = {
    "log -n 10": ("log", "-n", "10"),
    "log": ("log",),
    "log PATH": ("log", "--", CONFIG),
    "log -n 10 PATH": ("log", "-n", "10", "--", HOURLY),
    "log --json -n 10": ("log", "--json", "-n", "10"),
    "log --every --json": ("log", "--every", "--json"),
    "status": ("status",),
    "blame FILE#KEY, seldom changed": ("blame", f"{HOURLY}#model"),
    "blame FILE#KEY, changed hourly, 10": ("blame", f"{HOURLY}#auc", "--limit", "10"),
    "blame FILE#KEY, changed hourly": ("blame", f"{HOURLY}#auc"),
    "blame FILE": ("blame", RULES),
    "blame": ("blame",),
    "show": ("show",),
    "show prod": ("show", "prod"),
    "deployed": ("deployed", "prod"),
    "deployed --at": ("deployed", "prod", "--at", "2024-01-04"),
    "deployed, all stages": ("deployed",),
    "alerts stats": ("alerts", "stats"),
    "metrics show": ("metrics", "show"),
}


def files_at(number: int) -> dict[str, bytes]:
    """Return the files of one commit."""
    chance = random.Random(number)
    live = {"auc": chance.random(), "calls": chance.randint(1, 10**6), "model": number // 1000, "recall": 0.5}
    rules = [
        {"id": f"R{n}", "when": f"f{n} > {(number - number % 200 + n) if n % 7 == number // 200 % 7 else n}"}
        for n in range(20)
    ]
    return {
        HOURLY: json.dumps(live, indent=1).encode(),
        CONFIG: json.dumps({"threshold": number // 100 / 1000, "batch": 32}).encode(),
        RULES: json.dumps({"rules": rules}, indent=1).encode(),
    }


def make(root: Path, commits: int) -> None:
    """Make the repository, unless it is there; the disk is not waited for."""
    if (root / "made").exists():
        return
    shutil.rmtree(root, ignore_errors=True)
    moment = [START]
    with patch("os.fsync", lambda _: None), patch("os.sync", lambda: None):
        repo, _ = Repository.init(root, actor="ann", clock=lambda: moment[0])
        with repo:
            for first in range(0, commits, _AT_ONCE):
                _some(repo, moment, range(first, min(first + _AT_ONCE, commits)))
    for path, data in files_at(commits - 1).items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(data)
    (root / "made").touch()
    (root / ".mlverignore").write_text("made\n.mlverignore\n")


def _some(repo: Repository, moment: list[datetime], numbers: range) -> None:
    made: list[CommitId] = []
    parent = repo.view.head
    with repo.store.session() as session:
        for number in numbers:
            parent = _commit(session, number, parent)
            made.append(parent)
        session.finish()
    for number, id in zip(numbers, made, strict=True):
        moment[0] = START + timedelta(hours=number)
        _record(repo, "commit", lambda view, id=id: replace(view, branches={"main": id}))  # type: ignore[misc]
        if number % _LEARNT == _LEARNT - 1:
            of = range(number - _LEARNT + 1, number + 1)
            facts = [fact for one in of for fact in _facts(one, made[one - numbers[0]])]
            head = append_facts(repo.store, repo.view.facts, facts)
            _record(repo, "alerts import", lambda view, head=head: replace(view, facts=head))  # type: ignore[misc]
        if number % _PROMOTED == _PROMOTED - 1:
            live = Live(id, moment[0], "ann", f"release {number}", "promote", None, {"metrics": []})
            _record(repo, "promote", lambda view, live=live: replace(view, stages={"prod": {EVERYONE: live}}))  # type: ignore[misc]


def _record(repo: Repository, command: str, change: Callable[[View], View]) -> None:
    transact(repo, command, change)


def _commit(session: StoreSession, number: int, parent: CommitId | None) -> CommitId:
    artifacts = {}
    for path, data in files_at(number).items():
        kind = {HOURLY: "metrics", CONFIG: "config", RULES: "rules"}[path]
        artifacts[path] = Artifact(path, BLOB, kind, session.put_bytes(data), len(data))
    tree = put_tree(session, artifacts)
    time = START + timedelta(hours=number)
    parents = (parent,) if parent else ()
    return session.put_object(Commit(tree, parents, "ann", time, f"hour {number}", {"ticket": (f"OPS-{number}",)}))


def _facts(number: int, commit: CommitId) -> list[Fact]:
    at, about = START + timedelta(hours=number), {"commit": commit.hex()}
    chance = random.Random(-number)
    found = [
        Fact("metric", about, {"name": name, "slice": f"clinic={chance.choice('ABC')}", "value": chance.random(),
                               "n": 100}, at, at, "ann")
        for name in ("recall", "precision", "auc", "ece", "psi", "loss")[: _FACTS - 4]
    ]  # fmt: skip
    for n in range(2):
        alert = {"alert": f"A-{number}-{n}", "commit": commit.hex(), "stage": "prod"}
        found.append(Fact("alert", alert, {"type": f"drift.f{n}", "severity": "warn"}, at, at, "pager"))
        done = {"outcome": chance.choice(("acted", "resolved", "false-positive"))}
        found.append(Fact("action", {"alert": alert["alert"], "commit": commit.hex()}, done, at, at, "bob"))
    if number % 100 == 0:
        found[0] = Fact("note", about, {"text": "looked at by hand"}, at, at, "bob")
    return found


class Bench:
    """The repositories, and how often each command is run."""

    def __init__(self, work: Path, sizes: Sequence[int], reps: int) -> None:
        self.roots = {size: work / f"history-{size}" for size in sizes}
        self.reps = reps
        for size, root in self.roots.items():
            start = time.process_time()
            make(root, size)
            print(f"<!-- {size} commits made in {time.process_time() - start:.0f} s CPU -->", flush=True)

    def row(self, name: str, once: Callable[[Path], Took], digits: int = 2) -> None:
        """Time one way of asking in each repository, and print the row."""
        cells = []
        for root in self.roots.values():
            took = [once(root) for _ in range(self.reps)]
            cpu, wall = (statistics.median(getattr(one, what) for one in took) for what in ("cpu", "wall"))
            cells.append(f"{cpu:.{digits}f} ({wall:.{digits}f})")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)

    def warm(self, name: str, words: Command) -> None:
        """Time a command whose caches are up to date."""
        for root in self.roots.values():
            run([*MLVER, *words], root)
        self.row(f"`{name}`", lambda root: run([*MLVER, *words], root))

    def cold(self, name: str, words: Command) -> None:
        """Time a command whose caches are gone."""

        def once(root: Path) -> Took:
            shutil.rmtree(root / ".mlver" / "cache")
            return run([*MLVER, *words], root)

        reps, self.reps = self.reps, 1
        self.row(f"`{name}`, no cache", once)
        self.reps = reps

    def writing(self) -> None:
        """Time a commit of two small files, a promotion and a rollback; each leaves the repository longer by one."""

        def commit(root: Path) -> Took:
            for path in (HOURLY, CONFIG):
                (root / path).write_text(json.dumps({"auc": time.time(), "model": 1}))
            return run([*MLVER, "commit", "-q", "-m", "small"], root)

        self.row("`commit` of two small files", commit)
        self.row("`promote`", lambda root: run([*MLVER, "promote", "prod", "HEAD~1"], root))
        self.row("`rollback`", lambda root: run([*MLVER, "rollback", "prod", "--to", "HEAD~2"], root))

    def inside(self) -> None:
        """Time a commit of one small file through the Python API, within one process (W8)."""
        self.row("a commit through the API", _inside, digits=3)


def _inside(root: Path) -> Took:
    import mlver

    took = []
    with mlver.Repo.open(root) as repo:
        for number in range(20):
            (root / HOURLY).write_text(json.dumps({"auc": time.time(), "number": number}))
            start, wall = time.process_time(), time.perf_counter()
            repo.commit(f"v{number}")
            took.append(Took(time.perf_counter() - wall, time.process_time() - start))
    return Took(statistics.median(one.wall for one in took), statistics.median(one.cpu for one in took))


def main() -> None:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--commits", default="100,1000,10000")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path.cwd())
    sizes = [int(text) for text in asked.commits.split(",")]
    bench = Bench(asked.work.absolute(), sizes, asked.reps)
    wanted = [text for text in asked.only.split(";") if text]
    print("| command, CPU s (wall s) | " + " | ".join(f"{size:,} commits" for size in sizes) + " |")
    print("| --- |" + " --- |" * len(sizes), flush=True)
    for name, words in COMMANDS.items():
        if not wanted or name in wanted:
            bench.warm(name, words)
    if not wanted or "cold" in wanted:
        bench.cold("log -n 10", COMMANDS["log -n 10"])
        bench.cold("log", COMMANDS["log"])
        bench.cold("log PATH", COMMANDS["log PATH"])
        bench.cold("alerts stats", COMMANDS["alerts stats"])
        bench.cold("query", ("query", "SELECT count(*) FROM commits"))
    if not wanted or "writing" in wanted:
        bench.writing()
        bench.inside()


if __name__ == "__main__":
    main()
