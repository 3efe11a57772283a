"""What each command costs before it does anything: CPU time and modules, in a repository of two small commits.

    python -m tests.bench.startup [ROUNDS]

CPU time is that of the whole process, user and system: the median and, for a busy machine, the least of the rounds.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MLVER = [sys.executable, "-m", "mlver"]
COMMANDS = (
    "--version",
    "--help",
    "status",
    "status --json",
    "log",
    "log --json",
    "show",
    "diff HEAD~1 HEAD",
    "blame metrics.json",
    "metrics show",
    "deployed prod",
    "restore metrics.json",
    "promote prod",
    "rollback prod --dry-run",
    "commit -m three",
)


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env = kept | {"PYTHONPATH": str(ROOT), "MLVER_AUTHOR": "ana"}
    with tempfile.TemporaryDirectory() as folder:
        _story(Path(folder), env)
        print(f"{'command':26} {'ms':>6} {'least':>6} {'mlver':>6} {'all':>6}")
        for line in ("(python -c pass)", *COMMANDS):
            words = [sys.executable, "-c", "pass"] if line.startswith("(") else [*MLVER, *line.split()]
            spent = [_cpu(words, Path(folder), env, number) for number in range(rounds)]
            modules = _modules(words, Path(folder), env)
            own = sum(name.split(".")[0] == "mlver" for name in modules)
            print(f"{line:26} {statistics.median(spent):6.0f} {min(spent):6.0f} {own:6} {len(modules):6}")


def _story(folder: Path, env: dict[str, str]) -> None:
    steps = ["init", "commit -m one", "commit -m two", "promote prod HEAD~1", "promote prod", "status"]
    for number, line in enumerate(steps):
        (folder / "metrics.json").write_text(f'{{"auc": 0.9{number}, "f1": {{"a": 1}}}}')
        subprocess.run([*MLVER, *line.split()], cwd=folder, env=env, check=True, capture_output=True)


def _cpu(words: list[str], folder: Path, env: dict[str, str], number: int) -> float:
    if "commit" in words:
        (folder / "metrics.json").write_text(f'{{"auc": 0.8{number}}}')
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, cwd=folder, env=env, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def _modules(words: list[str], folder: Path, env: dict[str, str]) -> set[str]:
    command = [words[0], "-X", "importtime", *words[1:]]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines[1:]}


if __name__ == "__main__":
    main()
