"""The part of a gate that asks whether data of training was compared with the data that judges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlver.repo.conditions import BROKEN, MET, UNKNOWN
from mlver.repo.leakage_facts import Leakage, leakages
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Snapshot
from mlver.repo.steps import ASSUMED
from mlver.verbs.lineage import LineageNode, lineage

DATA = "data"
WORDS = {"key": "rows of the same name", "rows": "rows that say the same", "label": "columns that tell the label",
         "later": "rows of training from later on"}  # fmt: skip


def judge_leakage(repo: Repository, commit: str, judges: Iterable[str], today: Snapshot) -> tuple[str, str]:
    """Return `met`, `broken` or `unknown`, and why, for the data a commit's models were trained on.

    `judges` are the paths of the data that judges, as `today` holds them. Each pair of contents must have been
    compared (`rules leakage`), the last time with nothing found. What was never compared is unknown.
    """
    trained = list(_trained_on(repo, commit))
    paths = sorted({path for path in judges if path in today})
    if not trained:
        return UNKNOWN, "on which data its models were trained is not recorded"
    if not paths:
        return UNKNOWN, "no requirement says on which data it is judged"
    newest = {(one.train_id, one.data_id): one for one in leakages(repo)}
    missing = ""
    for node in trained:
        for path in paths:
            one = newest.get((node.id, today[path].id))
            if one is None:
                missing = missing or f"never compared: mlver rules leakage {_named(node)} {path}"
            elif one.found:
                return BROKEN, f"{one.data} and {one.train}: {_told(one)}"
    return (UNKNOWN, missing) if missing else (MET, "")


def _trained_on(repo: Repository, commit: str) -> Iterator[LineageNode]:
    known = lineage(repo, commit)
    inputs = {edge.input for edge in known.edges if edge.source != ASSUMED}
    return (node for node in known.nodes if node.kind == DATA and node.id in inputs)


def _named(node: LineageNode) -> str:
    return f"{node.path}@{node.commit.short}" if node.commit else node.path


def _told(one: Leakage) -> str:
    return ", ".join(f"{count} {WORDS.get(sort, sort)}" for sort, count in one.found.items())
