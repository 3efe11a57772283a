"""Files that are rewritten while they are committed: what is stored is what its id says, and no change is overlooked.

    python -m tests.fault.rewritten [COMMITS] [SEED]

A process rewrites five files without a pause: in place and in the same size, shorter, longer, by rename, with its time
set back. Every other commit happens in the middle of that; the next as soon as it has paused, and must hold exactly
what lies there, though size and time of a file may be as before. Then a file is rewritten at each moment of a commit
(rewritten_moments.py). Prints one line of JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from mlver.errors import NegativeAnswer
from mlver.objects.ids import BlobId
from mlver.repo.repository import Repository
from mlver.verbs.commit import commit
from mlver.verbs.fsck import fsck
from tests.fault import rewritten_moments
from tests.fault.processes import spawn
from tests.gc.beside import still

SEED = 61
_FILES = ("a.bin", "b.json", "c.bin", "d.txt", "e.bin")


def rewrite(path: Path, rnd: random.Random) -> None:
    """Write a file anew, in one of many ways."""
    way, size = rnd.choice(("place", "place", "time", "rename", "size")), 4_000
    before = os.stat(path) if path.exists() else None
    data = rnd.randbytes(rnd.randrange(1, 9_000) if way == "size" else size)
    if way == "rename" or before is None:
        other = path.with_name(f".{path.name}~")
        other.write_bytes(data)
        other.replace(path)
        return
    with open(path, "r+b", buffering=0) as file:
        file.write(data[: len(data) // 2])
        file.write(data[len(data) // 2 :])
        file.truncate(len(data))
    if way == "time":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def keep_on(root: Path, seed: int, ask: int, tell: int) -> None:
    """Rewrite files; whenever asked, pause, tell, and go on when asked again; end when there is nobody to ask."""
    rnd = random.Random(seed)
    os.set_blocking(ask, False)
    while True:
        rewrite(root / rnd.choice(_FILES), rnd)
        try:
            asked = os.read(ask, 1)
        except BlockingIOError:
            continue
        if not asked:
            return
        os.write(tell, b"p")
        os.set_blocking(ask, True)
        os.read(ask, 1)
        os.set_blocking(ask, False)


def run(commits: int, seed: int) -> tuple[int, int, list[str]]:
    """Return how many commits landed, how many were refused because a file kept changing, and all that is wrong."""
    landed, refused, wrong = 0, 0, list[str]()
    with tempfile.TemporaryDirectory() as folder, still():
        root = Path(folder)
        repo = Repository.init(root, actor="judge")[0]
        for number, name in enumerate(_FILES):
            rewrite(root / name, random.Random(number))
        (root / ".mlverignore").write_text(".*~\n")
        asks, ask = os.pipe()
        told, tell = os.pipe()

        def work() -> None:
            os.close(ask)
            keep_on(root, seed, asks, tell)

        child = spawn(work)
        os.close(asks)
        while landed + refused < commits:
            number = landed + refused
            still_there = number % 2 == 1
            if still_there:
                os.write(ask, b"p")
                os.read(told, 1)
                files = {name: (root / name).read_bytes() for name in _FILES}
            try:
                commit(repo, f"{number}", allow_empty=True)
                landed += 1
            except NegativeAnswer as error:
                refused += 1
                wrong += [f"commit {number}: {error.message}"] * still_there
            if still_there:
                snapshot = repo.head_snapshot()
                for name, data in files.items():
                    stored = snapshot.source(name).open().read()
                    if stored != data:
                        wrong.append(f"seed {seed}, commit {number}: {name} was overlooked: {_name(stored)}")
                os.write(ask, b"g")
            wrong += _judge(repo, number)
        os.close(ask)
        os.close(tell)
        os.close(told)
        wrong += [f"the writer: {ended.err}" for ended in (child.wait(),) if ended.code]
        wrong += [f"fsck: {found.what}: {found.detail}" for found in fsck(repo).problems]
        repo.close()
    return landed, refused, wrong


def _judge(repo: Repository, number: int) -> list[str]:
    snapshot = repo.head_snapshot()
    return [
        f"commit {number}: {path} does not match its id"
        for path, artifact in snapshot.artifacts.items()
        if BlobId.of(snapshot.source(path).open().read()) != artifact.id
    ]


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def main(words: list[str]) -> int:
    """Run the campaign; the exit code is 1 when anything was violated."""
    numbers = [int(word) for word in words] + [500, SEED][len(words) :]
    start = time.monotonic()
    landed, refused, wrong = run(*numbers)
    moments, more = rewritten_moments.run()
    wrong += more
    figures = {"campaign": "rewritten", "rounds": landed + refused + moments, "landed": landed, "refused": refused}
    figures["moments"] = moments
    figures |= {"violations": len(wrong), "seed": numbers[1], "seconds": round(time.monotonic() - start)}
    print(json.dumps({**figures, "first": wrong[:5]}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
