"""No command loads what it does not need: each is run once, and the modules it loaded are counted."""

from __future__ import annotations

import pytest

from mlver.cli.registry import COMMANDS
from tests.architecture.test_start_up import HEAVY, NOT_AT_ONCE, Recorder

MOST = 440  # modules of all packages: of `rollback`, the largest, and some to spare
# In this order, in one small repository without tables; {copy} is another one.
LINES = (
    "init", "commit -m first", "commit --allow-empty -m second", "promote prod", "tag v1", "branch other",
    "status", "log", "show", "diff",
    "cat config.json", "blame config.json", "lineage config.json", "impact config.json", "deployed", "metrics show",
    "slo check", "alerts stats", "oncall", "rules list", "exp list", "note HEAD -m fine", "handover", "report",
    "incident list", "check", "rollback prod --dry-run --reason slow", "merge other", "revert HEAD --dry-run",
    "restore --dry-run config.json", "op log", "clone . {copy}", "remote add copy {copy}", "push copy", "fetch copy",
    "switch other", "undo", "verify", "fsck", "repair -n", "gc -n", "config",
)  # fmt: skip
ANSWERS = (0, 1)  # done, or the answer is no
# What carries bytes has pools of threads; the metadata of packages are read as mail.
NEEDED = {"clone": {"concurrent"}, "push": {"concurrent"}, "fetch": {"concurrent"}, "commit": {"concurrent", "email"}}
ELSEWHERE = {
    "query": "test_start_up: its tables are made first, by sqlite-utils",
    "search": "the same",
    "fallback": "keeps a thread for the drill",
    "pull": "fetch and merge",
    "run": "runs programs", "bisect": "runs programs", "reproduce": "runs programs", "demo": "runs programs",
    "suspect": "reads tables", "redact": "rewrites tables", "evidence": "writes an archive",
}  # fmt: skip


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, set[str], str]]:
    """Each line with how it ended, what it loaded, and what it said."""
    folder, work = tmp_path_factory.mktemp("recorder"), tmp_path_factory.mktemp("project")
    recorder, found = Recorder(folder, work), {}
    (work / "config.json").write_text('{"threshold": 0.5}\n')
    for line in LINES:
        words = [word.format(copy=folder / "copy") for word in line.split()]
        done, modules = recorder.outcome_of("-m", "mlver", *words)
        found[line] = (done.returncode, modules, done.stdout + done.stderr)
    return found


@pytest.mark.parametrize("line", LINES)
def test_a_command_loads_nothing_heavy(loaded: dict[str, tuple[int, set[str], str]], line: str) -> None:
    code, modules, said = loaded[line]
    assert code in ANSWERS, said
    assert {name.split(".")[0] for name in modules} & (HEAVY | NOT_AT_ONCE) <= NEEDED.get(line.split()[0], set())
    assert 100 < len(modules) <= MOST
    assert f"mlver.cli.commands.{line.split()[0]}" in modules


def test_every_command_is_looked_at() -> None:
    assert {line.split()[0] for line in LINES} | set(ELSEWHERE) == set(COMMANDS)
