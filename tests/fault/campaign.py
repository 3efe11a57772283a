"""Breaks operations at every system call, and kills real commands at random moments. Run by hand.

    python -m tests.fault.campaign calls           a kill and every errno at each call of each operation
    python -m tests.fault.campaign kills [ROUNDS]  SIGKILL of a real `mlver commit`, 400 rounds
    python -m tests.fault.campaign writers         8 processes commit 25 times each, at once

Each prints one line of JSON: rounds, violations, seconds. `docs/reliability.md` quotes them.
"""

from __future__ import annotations

import errno
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mlver.testing import Killed
from tests.fault.rig import ACTS, WRITING, Round, make_scene, play

ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES)
SEED = 5
MLVER = [sys.executable, "-m", "mlver"]


def calls(step: int = 1, errnos: tuple[int, ...] = ERRNOS, acts: tuple[str, ...] = tuple(ACTS)) -> list[Round]:
    """Break each operation at every `step`-th of its calls; return all rounds."""
    rounds = []
    for name in acts:
        with tempfile.TemporaryDirectory() as scratch:
            scene = make_scene(name, Path(scratch))
            rounds += [play(scene, Path(scratch), at, Killed) for at in scene.numbers()[::step]]
            for code in errnos:
                rounds += [play(scene, Path(scratch), at, code, WRITING) for at in scene.numbers(WRITING)[::step]]
    return rounds


def _mlver(root: Path, *words: str) -> str:
    return subprocess.run([*MLVER, *words], cwd=root, capture_output=True, text=True, check=False).stdout


def kills(rounds: int) -> tuple[int, int]:
    """Kill a commit of 40 changed files at a random moment, `rounds` times; return violations and landed commits."""
    rnd, violations, acknowledged = random.Random(SEED), 0, []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for number in range(300):
            (root / f"f{number}.bin").write_bytes(rnd.randbytes(20_000))
        _mlver(root, "init")
        acknowledged.append(_mlver(root, "commit", "-q", "-m", "first").strip())
        for number in range(rounds):
            for file in rnd.sample(range(300), 40):
                (root / f"f{file}.bin").write_bytes(rnd.randbytes(20_000))
            command = [*MLVER, "commit", "-q", "-m", f"round {number}"]
            process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            time.sleep(rnd.uniform(0.05, 0.32))
            process.kill()
            said = process.communicate()[0].decode().strip()
            acknowledged += [said] if len(said) == 64 else []
            known = {commit["id"] for commit in json.loads(_mlver(root, "--json", "log"))["commits"]}
            violations += not known.issuperset(acknowledged)
            if number % 10 == 9 or number == rounds - 1:
                violations += not json.loads(_mlver(root, "--json", "fsck"))["ok"]
    return violations, len(acknowledged)


def writers(processes: int = 8, commits: int = 25) -> int:
    """Let several processes commit the same work tree at once; return how many violations there were."""
    code = (
        "import sys, mlver; from pathlib import Path\n"
        "root = Path(sys.argv[1]); repo = mlver.Repo.open(root, author='w')\n"
        f"for n in range({commits}):\n"
        "    (root / f'{sys.argv[2]}.txt').write_text(str(n)); repo.commit(f'{sys.argv[2]}-{n}', allow_empty=True)"
    )
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        _mlver(root, "init")
        started = [subprocess.Popen([sys.executable, "-c", code, str(root), str(n)]) for n in range(processes)]
        failed = sum(process.wait() != 0 for process in started)
        log = json.loads(_mlver(root, "--json", "log"))["commits"]
        lost = processes * commits - len(log)
        forked = sum(len(commit["parents"]) != 1 for commit in log[:-1])
        return failed + lost + forked + (not json.loads(_mlver(root, "--json", "fsck"))["ok"])


def main(words: list[str]) -> int:
    """Run one campaign and print its figures; the exit code is 1 when anything was violated."""
    start, found = time.monotonic(), {"campaign": words[0], "seed": SEED}
    if words[0] == "calls":
        rounds = calls()
        wrong = [str(round_) for round_ in rounds if round_.problems]
        found |= {"rounds": len(rounds), "violations": len(wrong), "first": wrong[:3]}
    elif words[0] == "kills":
        count = int(words[1]) if len(words) > 1 else 400
        violations, landed = kills(count)
        found |= {"rounds": count, "acknowledged": landed, "violations": violations}
    else:
        found |= {"rounds": 200, "violations": writers()}
    print(json.dumps(found | {"seconds": round(time.monotonic() - start)}))
    return 1 if found["violations"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
