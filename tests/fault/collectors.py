"""Writers, gc without any grace and readers on one repository at once: nothing that has a name may ever be missing.

    python -m tests.fault.collectors [SECONDS] [WRITERS] [GCS] [READERS]

Writers commit and drop experiments whose models are drawn from a few, so that what they store is, again and again,
what gc is just about to remove. Readers read old commits, new ones and a pinned one, wholly, by every way to read.
Prints one line of JSON.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from mlver.errors import Conflict, MlverError, NegativeAnswer, UnknownRevision
from mlver.objects.commit import Commit
from mlver.objects.ids import CommitId
from mlver.objects.tree import BLOB
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Artifact
from mlver.repo.treebuild import put_tree
from mlver.verbs.blame import blame
from mlver.verbs.branch import delete_ref, set_ref
from mlver.verbs.cat import cat
from mlver.verbs.commit import commit
from mlver.verbs.fsck import fsck
from mlver.verbs.gc import gc
from mlver.verbs.log import log
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote
from mlver.verbs.restore import restore
from tests.fault.kills import is_sealed, sealed
from tests.fault.processes import Ended, spawn, warmed

SEED = 47
_MODELS = 12  # different contents, of which all experiments and most commits are made


def model(number: int) -> bytes:
    """One of the few contents that come again and again; larger than a chunk."""
    return sealed(random.Random(number), 150_000)


class Worker:
    """One process: does its work on the repository until the time is up, and prints what it counted."""

    def __init__(self, root: Path, name: str, until: float) -> None:
        self.root, self.name, self.until = root, name, until
        self.rnd = random.Random(f"{SEED} {name}")
        self.count: Counter[str] = Counter()
        self.repo = Repository.open(root, actor=name)

    def loop(self, step: Callable[[], None]) -> None:
        """Call `step` until the time is up; Conflict is an answer, anything else is wrong."""
        while time.time() < self.until:
            try:
                step()
                self.count["done"] += 1
            except (Conflict, NegativeAnswer) as error:
                self.count[f"told: {type(error).__name__}"] += 1
                time.sleep(self.rnd.uniform(0.0, 0.02))
            except (MlverError, AssertionError) as error:
                self.count[f"WRONG {self.name}: {type(error).__name__}: {error}"] += 1
            if self.rnd.random() < 0.2:  # most of the time as a long-lived process, then as a new one
                self.repo.close()
                self.repo = Repository.open(self.root, actor=self.name)
        self.repo.close()
        print(json.dumps(self.count))

    def write(self) -> None:
        """Commit, make or drop an experiment, note or promote."""
        act = self.rnd.choice(("commit", "commit", "make", "make", "drop", "drop", "note", "promote"))
        if act == "commit":
            half = self.root.parent / f"{self.name}.bin"  # others commit the whole work tree at any moment
            half.write_bytes(model(self.rnd.randrange(_MODELS)))
            half.replace(self.root / f"models/{self.name}.bin")
            id = commit(self.repo, self.name, allow_empty=True).commit
            assert id is not None
            self.count["commits"] += 1
        elif act == "make":
            self._experiment(f"x-{self.name}-{self.rnd.randrange(3)}")
        elif act == "drop":
            own = [name for name in self.repo.refresh().branches if name.startswith(f"x-{self.name}")]
            if own:
                delete_ref(self.repo, "branch", own[0])
                self.count["dropped"] += 1
        elif act == "note":
            add_note(self.repo, "main", f"{self.name} was here {self.rnd.random()}")
        else:
            promote(self.repo, self.name, "main")

    def _experiment(self, name: str) -> None:
        """Store a commit off main that holds two of the models, and name it."""
        with self.repo.store.session() as session:
            head = self.repo.refresh().branches["main"]
            files = {f"models/{n}.bin": model(self.rnd.randrange(_MODELS)) for n in range(2)}
            found = {
                path: Artifact(path, BLOB, "bytes", session.put_bytes(data), len(data)) for path, data in files.items()
            }
            tree = put_tree(session, found)
            id = session.put_object(Commit(tree, (head,), self.name, self.repo.now(), name, {}))
            session.finish()
        try:
            set_ref(self.repo, "branch", name, id.hex(), force=True)
        except UnknownRevision:  # gc was faster: nothing named it yet, and one is told
            self.count["told: gone before it had a name"] += 1
        else:
            self.count["experiments"] += 1

    def collect(self) -> None:
        """One gc that keeps nothing it need not."""
        result = gc(self.repo, grace="0", full=True)
        self.count["collected"] += bool(result.operation)

    def read(self) -> None:
        """Read one commit by one of the ways to read."""
        repo = self.repo
        repo.refresh()
        line = [entry.id for entry in log(repo, ["main"], limit=self.rnd.choice((5, 50))).commits]
        id = self.rnd.choice([line[0], self.rnd.choice(line), repo.view.tags["pinned"]])
        act = self.rnd.choice(("whole", "whole", "cat", "restore", "blame", "fsck", "experiment"))
        if act == "whole":
            self._whole(repo, id)
        elif act == "cat":
            found = bytearray()
            cat(repo, f"{id.hex()}:models/base.bin", found.extend)
            assert bytes(found) == model(0), "other bytes"
        elif act == "restore":
            with tempfile.TemporaryDirectory() as folder:
                restore(repo, rev=id.hex(), to=Path(folder) / "out")
                assert all(is_sealed(path.read_bytes()) for path in Path(folder).glob("out/models/*")), "half a file"
        elif act == "blame":
            blame(repo, "config/p.json", rev=id.hex())
        elif act == "fsck":
            found_ = fsck(repo).problems
            assert not found_, f"fsck: {found_[0].what}: {found_[0].detail}"
        else:
            name = next((name for name in sorted(repo.view.branches) if name.startswith("x-")), None)
            if name is not None:
                self._of_an_experiment(name)
        self.count[act] += 1

    def _of_an_experiment(self, name: str) -> None:
        """Read a commit that somebody may drop at any moment: it must be whole as long as its name is there."""
        id = self.repo.view.branches[name]
        try:
            self._whole(self.repo, id)
        except MlverError:
            if self.repo.refresh().branches.get(name) == id:
                raise

    def _whole(self, repo: Repository, id: CommitId) -> None:
        snapshot = repo.snapshot(id)
        for path in snapshot.artifacts:
            if path.startswith("models/"):
                with snapshot.source(path).open() as stream:
                    assert is_sealed(stream.read()), f"{path} is not whole"


def run(seconds: float, writers: int, collectors: int, readers: int) -> tuple[Counter[str], list[str]]:
    """Let them all run at once; return what was counted, and all that is wrong."""
    with tempfile.TemporaryDirectory() as folder, warmed("promote a HEAD", "note HEAD x", "gc", "log", "blame a.json"):
        root = Path(folder) / "repo"
        with Repository.init(root)[0] as repo:
            (root / "models").mkdir()
            (root / "config").mkdir()
            (root / "models/base.bin").write_bytes(model(0))
            (root / "config/p.json").write_text('{"impute": "median"}')
            commit(repo, "base")
            set_ref(repo, "tag", "pinned")
        until = time.time() + seconds
        wanted = [("write", writers), ("collect", collectors), ("read", readers)]

        def begin(act: str, number: int) -> None:
            worker = Worker(root, f"{act}{number}", until)
            worker.loop(getattr(worker, act))

        children = [spawn(lambda a=act, n=number: begin(a, n)) for act, many in wanted for number in range(many)]
        ended: list[Ended] = [child.wait() for child in children]
        wrong = [f"exit {one.code}: {one.err}" for one in ended if one.code or one.err]
        count: Counter[str] = Counter()
        for one in ended:
            count.update(json.loads(one.out or "{}"))
        wrong += [f"{text} ({times} times)" for text, times in count.items() if text.startswith("WRONG")]
        with Repository.open(root) as repo:
            wrong += [f"fsck: {found.what}: {found.detail}" for found in fsck(repo).problems]
            landed = len(log(repo, ["main"], limit=1_000_000).commits) - 1
            wrong += [f"{count['commits']} commits answered, {landed} in the history"] * (landed != count["commits"])
        wrong += [f"no {what}" for what in ("commits", "collected", "dropped") if not count[what]]
        return count, wrong


def main(words: list[str]) -> int:
    """Run it; the exit code is 1 when anything was violated."""
    numbers = [int(word) for word in words] + [60, 8, 2, 4][len(words) :]
    start = time.monotonic()
    count, wrong = run(*numbers)
    seconds = round(time.monotonic() - start)
    names = ("commits", "experiments", "dropped", "collected", "whole", "cat", "restore", "blame", "fsck", "experiment")
    figures: dict[str, object] = {"campaign": "collectors", **{name: count[name] for name in names}}
    figures |= {name: times for name, times in count.items() if name.startswith("told")}
    print(json.dumps({**figures, "violations": len(wrong), "first": wrong[:5], "seed": SEED, "seconds": seconds}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
