"""One line for each thing the command line can do, told apart: what writes, what only reads, what is left out and why.

`tests/fault/test_campaign.py` holds that every command of the registry stands in one of the three, so that whoever
adds one has to say which, and has its faults tested.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

_MEASURE = """sh -c 'echo "{\\"recall\\": 0.9}"'"""  # a program of the user that measures


@dataclass(frozen=True)
class Act:
    """A command line to be broken; `before` is what has to happen first, in the world of `tests/fault/world.py`.

    `ends` is its exit code when nothing is broken, `where` the folder it is given in. What does more than one
    operation or file in `steps` may be left between two of them. `twice` is what it ends with where it was done
    already; `also` are further exit codes it may end with, for its answer is what it found or could not do; an answer
    that is `free` may be another one for that reason.
    """

    line: str
    before: tuple[str, ...] = ()
    ends: int = 0
    where: str = "repo"
    steps: bool = False
    twice: int | None = None
    also: tuple[int, ...] = ()
    free: bool = False

    @property
    def words(self) -> list[str]:
        """The command line in words."""
        return shlex.split(self.line)


_EDIT = ('write config/pipeline.json {"impute":"mean"}', "write models/triage.joblib another one")
_CONFLICT = (
    "switch side", "write models/triage.joblib other", "commit -m other", "switch main",
)  # fmt: skip

_MADE = "run --out config/made.json -- sh -c 'echo {} > config/made.json'"

WRITES: Mapping[str, Act] = {
    "init": Act("init", where="empty"),
    "commit": Act("commit -m third", _EDIT),
    "commit PATH": Act("commit -m third config", _EDIT),
    "run": Act("run --out models/made.txt -- sh -c 'echo made > models/made.txt'"),
    "promote": Act("promote canary", free=True),
    "promote, refused": Act("promote gated", ends=1),
    "rollback": Act("rollback prod --to first", free=True),  # it says how much it had to write
    "rollback --only": Act("rollback prod --to first --only rules", free=True),
    "fallback drill": Act(f"fallback drill prod -- {_MEASURE}"),
    "metrics add": Act("metrics add HEAD recall=0.4 --slice clinic=C --n 26"),
    "metrics define": Act("metrics define precision --unit share", twice=3),
    "metrics backfill": Act(f"metrics backfill recall --revs HEAD --on data/t.csv -- {_MEASURE}"),
    "alerts add": Act("alerts add recall.low --id A7 --severity page"),
    "alerts import": Act("alerts import ../alerts.jsonl"),
    "alerts act": Act("alerts act A1 --did rollback --outcome fixed"),
    "alerts ack": Act("alerts ack A1 --reason seen"),
    "alerts false": Act("alerts false A1 --reason test"),
    "alerts ignore": Act("alerts ignore A1 --reason test"),
    "alerts resolve": Act("alerts resolve A1 --reason done"),
    "alerts mute": Act("alerts mute psi --for 24h --reason scanner"),
    "alerts unmute": Act("alerts unmute drift"),
    "rules check": Act("rules check data/t.csv"),
    "rules leakage": Act("rules leakage data/t.csv data/late.csv", ends=1),
    "rules ablate": Act(f"rules ablate data/t.csv -- {_MEASURE}"),
    "exp run": Act("exp run --idea columns -- sh -c 'echo {} > config/made.json'"),
    "exp verdict": Act("exp verdict HEAD lost --reason slow"),
    "note": Act("note HEAD 'labels of clinic C are late'"),
    "handover": Act("handover --record --to ben"),
    "report": Act("report --html ../report.html"),
    "evidence": Act("evidence prod --with-files --out ../evidence.tar"),
    "incident open": Act("incident open INC-2 --reason 'clinic C is not referred'"),
    "incident note": Act("incident note INC-1 'called the clinic'"),
    "incident link": Act("incident link INC-1 --follow-up 'gate by clinic'"),
    "incident close": Act("incident close INC-1 --reason mended"),
    "incident report": Act("incident report INC-1 --html ../incident.html"),
    "branch": Act("branch night"),
    "branch -d": Act("branch -d side"),
    "switch": Act("switch side"),
    "merge": Act("merge side", ("switch side", "write data/new.csv id,x", "commit -m other", "switch main")),
    "merge, conflicts": Act("merge side", _CONFLICT, ends=4),
    "merge --abort": Act("merge --abort", (*_CONFLICT, "merge side")),
    "merge --continue": Act("merge --continue -m both", (*_CONFLICT, "merge side", "write models/triage.joblib both")),
    "revert": Act("revert HEAD"),
    "tag": Act("tag v2"),
    "tag -d": Act("tag first -d"),
    "restore": Act("restore --rev first -f"),
    "undo": Act("undo"),
    "clone": Act("clone hub new", where="."),
    "remote add": Act("remote add other ../ben"),
    "remote rm": Act("remote rm origin", steps=True),
    "push": Act("push", ("note HEAD news",), steps=True),
    "fetch": Act("fetch", steps=True),
    "pull": Act("pull", steps=True),
    "repair": Act("repair", ("flip",), steps=True, also=(5,), free=True),
    "gc": Act("gc --grace 0 --full", ("undo", "undo", "config gc.retention 0d"), steps=True),
    "gc --restore": Act("gc --restore", ("undo", "undo", "config gc.retention 0d", "gc --grace 0 --full"), steps=True),
    "redact": Act("redact data/late.csv --why 'asked to' --live --yes", steps=True, free=True),
    "redact --rows": Act("redact data/late.csv --rows 'id = 3' --why 'asked to' --live --yes", steps=True, free=True),
    "config": Act("config releases.keep 5"),
    "deployed": Act("deployed prod", ("unlink",), free=True),  # it ends what a crash left half done
    "query --path": Act("query --path"),
}

READS: Mapping[str, Act] = {
    "status": Act("status"),
    "log": Act("log --all"),
    "show": Act("show HEAD"),
    "show PATH": Act("show rules/rules.json@HEAD#R2"),
    "cat": Act("cat data/t.csv@first"),
    "cat --head": Act("cat --head 2 data/t.csv"),
    "diff": Act("diff first HEAD"),
    "diff, work tree": Act("diff"),
    "blame": Act("blame data/t.csv"),
    "lineage": Act("lineage HEAD"),
    "impact": Act("impact data/t.csv"),
    "query": Act("query 'SELECT number, message FROM commits ORDER BY number'"),
    "search": Act("search late"),
    "bisect": Act("bisect --good first -- sh -c 'test ! -e data/late.csv'"),
    "suspect": Act("suspect 1 2 --on data/t.csv --good first --bad HEAD"),
    "reproduce": Act("reproduce HEAD", (_MADE, "commit -m made")),
    "check": Act("check HEAD --against gated", ends=1),
    "fallback show": Act("fallback show"),
    "deployed": Act("deployed"),
    "deployed --history": Act("deployed prod --history"),
    "metrics list": Act("metrics list"),
    "metrics log": Act("metrics log recall"),
    "metrics matrix": Act("metrics matrix recall"),
    "metrics age": Act("metrics age recall"),
    "metrics show": Act("metrics show HEAD"),
    "metrics diff": Act("metrics diff first HEAD"),
    "slo check": Act("slo check"),
    "slo history": Act("slo history"),
    "alerts ls": Act("alerts ls"),
    "alerts show": Act("alerts show A1"),
    "alerts mutes": Act("alerts mutes"),
    "alerts history": Act("alerts history"),
    "alerts stats": Act("alerts stats"),
    "oncall guide": Act("oncall guide"),
    "rules list": Act("rules list"),
    "rules check": Act("rules check data/t.csv --no-record"),
    "rules replay": Act("rules replay first HEAD data/t.csv"),
    "rules backtest": Act("rules backtest data/t.csv --set R2.then=refer", ends=1),
    "rules leakage": Act("rules leakage data/t.csv data/late.csv --no-record", ends=1),
    "exp list": Act("exp list"),
    "exp tree": Act("exp tree"),
    "exp best": Act("exp best --metric recall", (f"exp {_MADE}", "metrics add HEAD recall=0.9")),
    "exp frontier": Act("exp frontier --metric recall"),
    "exp stats": Act("exp stats"),
    "exp describe": Act("exp describe HEAD"),
    "note": Act("note"),
    "handover": Act("handover"),
    "report": Act("report"),
    "evidence": Act("evidence --verify ../whole.tar"),
    "incident list": Act("incident list"),
    "incident show": Act("incident show INC-1"),
    "incident report": Act("incident report INC-1"),
    "branch": Act("branch"),
    "tag": Act("tag"),
    "op log": Act("op log"),
    "remote ls": Act("remote ls"),
    "push --dry-run": Act("push --dry-run"),
    "fetch --dry-run": Act("fetch --dry-run"),
    "verify": Act("verify HEAD", ends=1, also=(5,), free=True),
    "fsck": Act("fsck", also=(5,), free=True),
    "repair --dry-run": Act("repair --dry-run", also=(5,), free=True),
    "gc --dry-run": Act("gc --dry-run"),
    "gc --why": Act("gc --why HEAD"),
    "rollback --dry-run": Act("rollback prod --dry-run"),
    "promote --dry-run": Act("promote canary --dry-run"),
    "merge --dry-run": Act("merge side --dry-run"),
    "revert --dry-run": Act("revert HEAD --dry-run"),
    "restore --dry-run": Act("restore --rev first -f --dry-run"),
    "commit --dry-run": Act("commit --dry-run"),
    "redact": Act("redact"),
    "redact --dry-run": Act("redact data/late.csv --why 'asked to' --dry-run", free=True),
    "config": Act("config"),
}

LEFT_OUT: Mapping[str, str] = {
    "demo": "plays the commands above in a folder of its own",
}


def leaf(name: str) -> str:
    """Return the command of the registry that an entry of these lists is about: `merge` of `merge, conflicts`."""
    return name.partition(",")[0].partition(" -")[0].rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ").strip()
