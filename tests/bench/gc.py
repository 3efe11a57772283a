"""What gc gives back of 500 experiments of which 4 were live, and how long it takes. Run by hand, never in CI.

    python tests/bench/gc.py [--experiments 500] [--kib 64]

Prints the bytes of the store before and after, and seconds, once all models restore byte for byte.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from mlver.repo.repository import Repository
from mlver.verbs.branch import delete_ref, set_ref
from mlver.verbs.commit import commit
from mlver.verbs.fsck import fsck
from mlver.verbs.gc import gc
from mlver.verbs.metrics import add_metrics
from mlver.verbs.promote import promote
from mlver.verbs.switch import switch


def main() -> int:
    """Build, collect, compare; returns 1 when anything that was live is not as it was."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--experiments", type=int, default=500)
    parser.add_argument("--kib", type=int, default=64)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "repo"
        repo = Repository.init(root, actor="ana")[0]
        models = [random.Random(seed).randbytes(asked.kib << 10) for seed in range(asked.experiments)]
        model = root / "models/m.bin"
        model.parent.mkdir(parents=True)
        model.write_bytes(b"none yet")
        commit(repo, "base")
        start = time.perf_counter()
        for seed, data in enumerate(models):
            set_ref(repo, "branch", f"e{seed}", "main")
            switch(repo, f"e{seed}")
            model.write_bytes(data)
            commit(repo, f"try {seed}")
            add_metrics(repo, "HEAD", {"recall": seed / len(models)})
            switch(repo, "main")
        print(f"{len(models)} experiments of {asked.kib} KiB: {time.perf_counter() - start:.1f} s")
        live = [len(models) * part // 5 for part in (1, 2, 3, 4)]
        ids = {seed: repo.resolve(f"e{seed}") for seed in live}
        for seed in live:
            promote(repo, "prod", f"e{seed}", reason="better")
        for seed in range(len(models)):
            delete_ref(repo, "branch", f"e{seed}")
        packs = root / ".mlver/packs"
        before = sum(path.stat().st_size for path in packs.iterdir())
        for run in ("gc", "gc again"):
            start = time.perf_counter()
            result = gc(repo, grace="0")
            after = sum(path.stat().st_size for path in packs.iterdir())
            print(
                f"{run}: {time.perf_counter() - start:.2f} s, {len(result.dropped)} commits dropped, "
                f"{before} -> {after} bytes ({1 - after / before:.1%} less), {result.packs_after} packs"
            )
        repo.close()
        again = Repository.open(root)
        same = all(again.snapshot(id).source("models/m.bin").open().read() == models[seed] for seed, id in ids.items())
        print(f"all {len(ids)} that were live are byte-equal: {same}; fsck: {'ok' if fsck(again).ok else 'damaged'}")
        return int(not same)


if __name__ == "__main__":
    sys.exit(main())
