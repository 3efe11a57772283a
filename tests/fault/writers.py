"""Many processes change one repository at once; nothing that one of them was told is done may be missing.

    python -m tests.fault.writers [WRITERS] [COMMITS]        all of them commit
    python -m tests.fault.writers mix [WRITERS] [ROUNDS]     each commits, tags, notes and moves a stage of its own
    python -m tests.fault.writers twins [WRITERS] [ROUNDS]   all do the very same in the same second

Each writer is a process with a repository object of its own. Prints one line of JSON.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mlver.api.repo import Repo
from mlver.repo.repository import Repository
from mlver.verbs.branch import set_ref
from mlver.verbs.commit import commit
from mlver.verbs.fsck import fsck
from tests.fault.kills import is_sealed, sealed
from tests.fault.processes import spawn, warmed

SEED = 43


def commits(root: Path, name: str, count: int) -> list[str]:
    """Commit `count` times, a file of one's own changed before each; return the ids that were answered."""
    rnd, said = random.Random(f"{SEED} {name}"), []
    with Repo.open(root, author=name) as repo:
        for number in range(count):
            (root / f"{name}.bin").write_bytes(sealed(rnd, 200))
            made = repo.commit(f"{name} {number}", allow_empty=True)  # another's commit may hold it already
            said.append(str(made.commit))
    return said


def mixture(root: Path, name: str, count: int) -> list[str]:
    """Commit, tag, note, move a stage of one's own forward and back; return the ids of the commits."""
    rnd, said = random.Random(f"{SEED} {name}"), []
    with Repo.open(root, author=name) as repo:
        for number in range(count):
            (root / f"models/{name}.bin").write_bytes(sealed(rnd, 200))
            id = str(repo.commit(f"{name} {number}", allow_empty=True).commit)
            repo.set_ref("tag", f"{name}-{number}", id)
            repo.notes.add(id, f"{name} {number} noted")
            repo.metrics.add(id, {f"m.{name}": number})
            repo.promote(name, id)
            if number % 3 == 2:
                repo.rollback(name, to=f"{name}-{number - 1}")
            said.append(id)
    return said


def run(work: Callable[[Path, str, int], list[str]], writers: int, count: int) -> tuple[int, list[str]]:
    """Let `writers` processes do `work` at once; return how many commits landed, and all that is wrong."""
    with tempfile.TemporaryDirectory() as folder, warmed("promote a HEAD", "note HEAD x", "metrics add a=1"):
        root = Path(folder)
        Repository.init(root)[0].close()
        (root / "models").mkdir()
        names = [f"w{number}" for number in range(writers)]
        start = time.monotonic() + 0.2

        def begin(name: str) -> None:
            time.sleep(max(0.0, start - time.monotonic()))
            print(*work(root, name, count))

        ended = {name: child.wait() for name, child in [(name, spawn(lambda n=name: begin(n))) for name in names]}
        wrong = [f"{name}: {one.err}" for name, one in ended.items() if one.code or one.err]
        with Repository.open(root) as repo:
            line, at = [], repo.view.head
            while at is not None:
                line.append(str(at))
                parents = repo.commit(at).parents
                wrong += [f"{at.short} has {len(parents)} parents"] * (len(parents) > 1)
                at = parents[0] if parents else None
            said = [id for one in ended.values() for id in one.out.split()]
            wrong += [f"{id} was answered and is not in the history" for id in set(said) - set(line)]
            if not len(said) == len(set(said)) == len(line) == writers * count:
                wrong.append(f"{len(said)} answered, {len(set(said))} different, {len(line)} in the history")
            wrong += [f"fsck: {found.what}: {found.detail}" for found in fsck(repo).problems]
            wrong += [f"{path} is half" for path in root.glob("models/*.bin") if not is_sealed(path.read_bytes())]
            if work is mixture and not wrong:
                wrong += _judge(repo, {name: one.out.split() for name, one in ended.items()})
            return len(line), wrong


def twins(writers: int, rounds: int) -> tuple[int, list[str]]:
    """Let all do the very same at once, again and again; return how many tags are there, and all that is wrong."""
    with tempfile.TemporaryDirectory() as folder, warmed("tag v1"):
        root, wrong = Path(folder), list[str]()
        with Repository.init(root, actor="ana", clock=_still)[0] as repo:
            commit(repo, "base", allow_empty=True)
        for number in range(rounds):
            start = time.monotonic() + 0.02

            def same(name: str = f"t{number}", start: float = start) -> None:
                with Repository.open(root, actor="ana", clock=_still) as repo:
                    while time.monotonic() < start:
                        pass
                    set_ref(repo, "tag", name, "HEAD")

            ended = [child.wait() for child in [spawn(same) for _ in range(writers)]]
            wrong += [f"round {number}: {one.err}" for one in ended if one.code]
        with Repository.open(root) as repo:
            wrong += [f"fsck: {found.what}: {found.detail}" for found in fsck(repo).problems]
            wrong += [f"{repo.state.operation.number} operations"] * (repo.state.operation.number != rounds + 1)
            wrong += [f"{left} was left" for left in repo.storage.list("ops") if left not in _known(repo)]
            return len(repo.view.tags), wrong


def _known(repo: Repository) -> set[str]:
    return {f"ops/{id}" for id, _ in repo.operations()}


def _still() -> datetime:
    return datetime(2024, 4, 22, 3, 7, tzinfo=UTC)


def _judge(repo: Repository, said: dict[str, list[str]]) -> list[str]:
    """Look for every tag, note, metric and move that the writers made."""
    wrong, view = [], repo.view
    notes = {str(fact.body.get("text")) for fact in repo.facts.of("note")}
    metrics = {(str(fact.body.get("name")), fact.body.get("value")) for fact in repo.facts.of("metric")}
    moves: dict[str, int] = {}
    for _, operation in repo.operations():
        word, _, rest = operation.command.partition(" ")
        if word in ("promote", "rollback"):
            moves[rest.split()[0]] = moves.get(rest.split()[0], 0) + 1
    for name, ids in said.items():
        for number, id in enumerate(ids):
            wrong += [f"tag {name}-{number}"] * (str(view.tags.get(f"{name}-{number}")) != id)
            wrong += [f"note {name} {number}"] * (f"{name} {number} noted" not in notes)
            wrong += [f"metric {name} {number}"] * ((f"m.{name}", number) not in metrics)
        wanted = ids[-2] if len(ids) % 3 == 0 else ids[-1]
        wrong += [f"stage {name}"] * (str(view.stages[name][""].commit) != wanted)
        wrong += [f"moves of {name}: {moves.get(name)}"] * (moves.get(name) != len(ids) + len(ids) // 3)
    return [f"lost or wrong: {what}" for what in wrong]


def main(words: list[str]) -> int:
    """Run it; the exit code is 1 when anything was violated."""
    start = time.monotonic()
    which = words.pop(0) if words and not words[0].isdecimal() else "commits"
    default = {"commits": [16, 100], "mix": [16, 12], "twins": [4, 500]}[which]
    writers, count = [int(word) for word in words] + default[len(words) :]
    if which == "twins":
        landed, wrong = twins(writers, count)
    else:
        landed, wrong = run(mixture if which == "mix" else commits, writers, count)
    seconds = round(time.monotonic() - start)
    rounds = count if which == "twins" else writers * count
    figures = {"campaign": f"writers, {which}", "writers": writers, "rounds": rounds, "landed": landed}
    print(json.dumps({**figures, "violations": len(wrong), "first": wrong[:5], "seed": SEED, "seconds": seconds}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
