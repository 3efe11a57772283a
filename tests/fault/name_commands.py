"""Every command of the command line, and how a name from outside can reach it.

`{name}` stands for the name, `{evil}` for a commit whose tree holds it, `{base}` for the one before, `{hostile}` for
the repository it comes from, `{hub}` for one to push to, `{true}` for a program that does nothing. A command that is
new is in none of these tables until somebody has thought about it: `unclassified` says which.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from mlver.cli.registry import COMMANDS

# The work tree is clean and at a harmless commit; the branch `evil` is not. What must be refused, whatever it is.
LAYS_OUT = (
    "switch evil", "switch --detach {evil}", "restore -f --rev evil", "restore -f --rev evil data",
    "restore --rev evil --to copy", "merge evil", "revert evil", "promote prod evil --reason r",
    "promote canary evil --scope clinic=C --percent 5 --reason r", "rollback prod --to evil --reason r",
    "bisect --good {base} --bad evil -- {true}", "bisect --good {base} --bad evil --isolate -- {true}",
    "reproduce evil", "evidence evil --with-files --out evidence.tar",
    "metrics backfill recall --revs evil -- {true}", "rules ablate data/t.csv --rev evil -- {true}",
    "push hub evil", "fsck",
)  # fmt: skip
# Another repository has it on its main branch; the last line comes when a pack of ours was lost.
FROM_ELSEWHERE = (
    "fetch hostile", "pull hostile", "clone {hostile} copy", "clone --bare {hostile} bare", "switch hostile/main",
    "repair --from {hostile}",
)  # fmt: skip
# May pass, since they only record that there is such a commit, or look at something else.
NAMES_IT = (
    "tag t evil", "branch b evil", "note evil seen", "metrics add evil recall=0.5", "exp verdict evil lost --reason r",
    "incident open INC-1 --reason r", "incident link INC-1 --commit evil", "incident note INC-1 seen",
    "incident report INC-1 --html page.html", "incident close INC-1 --reason r", "report --html report.html",
    "handover --html handover.html", "gc", "repair", "undo", "fallback drill prod -- {true}", "remote rm hub",
    "exp describe evil --base {base}", "verify evil",
)  # fmt: skip
# The work tree itself stands at the commit.
STANDING_THERE = (
    "commit --allow-empty -m x", "run -- {true}", "exp run --idea i -- {true}", "init", "config releases.keep 5",
    "alerts import alerts.jsonl", "revert HEAD", "restore -f", "promote prod --reason r", "merge --abort", "undo",
    "metrics define recall --unit share", "gc", "repair",
)  # fmt: skip
# A file or folder of the work tree is called so, and `.mlverignore` does not hide it.
ON_DISK = ("commit -m x", "commit -m x {name}", "run --out {name} -- {true}", "exp run --idea i -- {true}", "status")
# A word of the command line is it.
AS_WORD = (
    "redact {name} --reason r", "tag {name}", "branch {name}", "switch -c {name}", "promote {name} --reason r",
    "remote add {name} {hub}",
    "promote prod --reason r --scope {name}", "rollback {name}", "push {name}", "fetch {name}", "pull {name}",
    "merge {name}", "switch {name}", "restore {name}", "restore --rev {name}", "commit -m x {name}", "note {name} seen",
    "commit --allow-empty -m {name}", "commit --allow-empty -m x --ticket {name} --alert {name}",
    "incident open {name} --reason r", "incident note {name} seen", "incident link {name} --ticket {name}",
    "incident report {name} --md", "incident close {name} --reason r", "alerts add {name}",
    "alerts add null --id {name}", "alerts add null --scope {name}", "alerts mute {name} --for 24h --reason r",
    "alerts unmute {name}", "alerts act {name} --did x", "alerts ack {name}", "alerts false {name}",
    "alerts ignore {name}", "alerts resolve {name}", "metrics add HEAD {name}=0.5",
    "metrics add HEAD recall{{{name}}}=1",
    "metrics define {name} --unit share", "metrics backfill {name} --on {name} -- {true}", "config {name} 1",
    "config signing.allowed_signers {name}", "run --in {name} --out {name} -- {true}", "gc --why {name}",
    "exp verdict {name} lost --reason r", "exp run --idea {name} -- {true}", "fallback drill {name} -- {true}",
    "evidence {name} --out evidence.tar", "reproduce {name}", "revert {name}", "verify {name}", "repair --from {name}",
    "undo", "remote rm {name}", "cat {name}", "show {name}", "blame {name}", "diff -- {name}", "rules check {name}",
    "rules leakage data/t.csv {name}", "deployed {name}",
)  # fmt: skip
# Only reads, so nothing can change; but whatever the word is, the answer is one line.
AS_QUESTION = (
    "log -- {name}", "log {name}", "search {name}", "lineage {name}", "impact {name}", "query {name}", "status {name}",
    "suspect {name} --on data/t.csv", "suspect 1 --on {name}", "check {name} --against {name}", "metrics log {name}",
    "metrics show {name}", "metrics matrix {name}", "metrics age {name}", "metrics diff {name} HEAD",
    "slo check {name}",
    "alerts show {name}", "alerts history {name}", "alerts stats {name}", "oncall guide {name}", "rules list {name}",
    "rules replay {name} HEAD data/t.csv", "rules backtest {name}", "exp best --metric {name}", "exp tree {name}",
    "exp describe {name}", "incident show {name}", "deployed prod --at {name}", "branch {name} {name}", "op log {name}",
    "diff {name} HEAD", "cat data/t.csv@{name}", "show HEAD:{name}", "show HEAD#{name}", "handover --to {name}",
)  # fmt: skip
# mlver.toml says it, where a path or a name may stand.
IN_PROJECT = (
    "commit -m x", "promote prod --reason r", "check --against prod", "status", "fallback drill prod -- {true}",
)  # fmt: skip
# A clone takes packs as they are, and looks at names when it reads a tree; so it may pass where nothing is laid out.
MAY_PASS = ("clone --bare {hostile} bare", "repair --from {hostile}")
# Something that was recorded says it was read or written.
RECORDED = (
    "reproduce evil", "fsck", "merge evil", "push hub evil", "exp run --idea i -- {true}",
    "bisect --good {base} --bad evil --rebuild -- {true}",
)  # fmt: skip

MUST_FAIL = frozenset((*LAYS_OUT, *FROM_ELSEWHERE)) - frozenset(MAY_PASS)

# These change nothing but caches, and write no file of the user's choice.
READS = frozenset(
    (
        "status", "log", "show", "cat", "diff", "blame", "lineage", "impact", "query", "search", "suspect", "check",
        "fallback show", "metrics list", "metrics log", "metrics matrix", "metrics age", "metrics show",
        "metrics diff", "slo check", "slo history", "alerts mutes", "alerts ls", "alerts show", "alerts history",
        "alerts stats", "oncall guide", "rules list", "rules replay", "rules backtest",
        "exp tree", "exp best", "exp frontier", "exp stats", "exp list", "incident list", "incident show", "op log",
        "remote ls", "verify", "fsck",
    )
)  # fmt: skip
# What they write is their own, made of nothing from outside.
OWN = frozenset(("demo",))

TABLES = (LAYS_OUT, NAMES_IT, FROM_ELSEWHERE, STANDING_THERE, ON_DISK, AS_WORD, AS_QUESTION, IN_PROJECT, RECORDED)


def leaves() -> Iterator[str]:
    """Yield every command that can be typed: `commit`, `metrics add`."""
    for name, entry in COMMANDS.items():
        app = importlib.import_module(entry.module).app
        made = [command.name or command.callback.__name__ for command in app.registered_commands]
        yield from ([name] if made == [name] else [f"{name} {one}" for one in made])


def unclassified() -> list[str]:
    """Return the commands nobody has said of how a name can reach them."""
    lines = [line for table in TABLES for line in table]
    played = {one for one in leaves() if any(f"{line} ".startswith(f"{one} ") for line in lines)}
    return sorted(set(leaves()) - played - READS - OWN)
