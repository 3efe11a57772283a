"""Hand-made results, the night at the clinic: what verbs return, without a repository."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mlver.kinds.base import Detail
from mlver.objects.ids import BlobId, CommitId
from mlver.verbs.common import CommitInfo, FileChange, MetricDelta
from mlver.verbs.diff import ArtifactDiff, DiffResult, Side, UnitChange, UnitCounts


def at(text: str) -> datetime:
    """`04-22 03:07` in 2024, UTC."""
    return datetime.strptime(f"2024-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def commit_id(text: str) -> CommitId:
    return CommitId.of(text.encode())


V2, BAD = commit_id("v2"), commit_id("bad")


def blob(text: str) -> BlobId:
    return BlobId.of(text.encode())


def info(name: str, *parents: str, **words: Any) -> CommitInfo:
    """A commit whose subject is its name."""
    words = {"author": "Ana <ana@clinic.example>", "time": at("04-01 09:00"), "message": name} | words
    return CommitInfo(id=commit_id(name), parents=tuple(map(commit_id, parents)), **words)


def change(path: str, kind: str, what: str = "modified", **words: Any) -> FileChange:
    return FileChange(path, kind, what, **words)


RULES = ArtifactDiff(
    path="rules/rules.json",
    kind="rules",
    change="modified",
    summary="-1 rule",
    units=UnitCounts(removed=1),
    changes=(
        UnitChange(
            unit="R2",
            change="removed",
            old={"id": "R2"},
            text_old=">= 3 missing values -> refer  (dana: clinic C scanner firmware drops the worst block)",
        ),
    ),
)
CONFIG = ArtifactDiff(
    path="config/pipeline.json",
    kind="config",
    change="modified",
    summary="~1 key",
    units=UnitCounts(changed=1),
    changes=(UnitChange("impute", "changed", "median", "-1", "median", "-1"),),
)
DATA = ArtifactDiff(
    path="data/train.csv",
    kind="data",
    change="modified",
    summary="+80 rows, 25 cells changed in label (25 rows)",
    units=UnitCounts(added=80, changed=25),
    changes=(
        *(UnitChange(f"P05{i:02}", "added", new={"label": 1}, text_new=f"clinic=A label=1 r={i}") for i in range(80)),
        *(UnitChange(f"P04{i:02}", "changed", {"label": 1}, {"label": 0}, "label=1", "label=0") for i in range(25)),
    ),
    details=(
        Detail("cells changed", ("column", "cells"), (("label", 25),)),
        Detail("drift", ("column", "PSI", "KS"), (("worst radius", 0.3101, 0.2), ("mean area", 0.04, 0.051))),
    ),
)
MODEL = ArtifactDiff(
    path="models/triage.joblib",
    kind="model",
    change="modified",
    summary="LogisticRegression: 1 parameter changed, 2 arrays moved",
    units=UnitCounts(changed=3),
    changes=(
        UnitChange("model.steps.clf.max_iter", "changed", 2000, 3000, "2000", "3000"),
        UnitChange(
            "model.steps.clf.coef_", "changed", {"digest": "a"}, {"digest": "b"}, "float64 1x30", "float64 1x30"
        ),
    ),
    details=(
        Detail(
            "arrays",
            ("parameter", "shape", "L2 change"),
            (("model.steps.clf.coef_", "1x30", 3.449), ("model.steps.scale.mean_", "30", 20.6301)),
        ),
    ),
)
CODE = ArtifactDiff(
    path="train.py",
    kind="code",
    change="modified",
    summary="+1 -1 lines",
    units=UnitCounts(added=1, removed=1),
    changes=(UnitChange("L3", "added", None, "x", None, "x"),),
    details=(Detail("lines", ("sign", "line"), (("@", "L3"), ("-", "fit(0)"), ("+", "\tfit(1)"))),),
)
REWRITTEN = ArtifactDiff(
    path="data/val/static.csv",
    kind="data",
    change="rewritten",
    summary="same rows, written differently",
    units=UnitCounts(),
)
BROKEN = ArtifactDiff(
    path="data/extra.parquet",
    kind="data",
    change="modified",
    summary="",
    units=UnitCounts(),
    old_size=1000,
    new_size=2048,
    unreadable="truncated Parquet file",
)
METRICS = (
    MetricDelta("recall", "clinic=C", "data/val/static.csv", 1.0, 0.375, -0.625, "worse", 8, 8),
    MetricDelta("accuracy", "", "data/val/static.csv", 0.958, 0.958, 0.0, "same", 120, 120),
    MetricDelta("recall", "", None, 0.969, None, None, "changed", 80, None, "labels are not in yet"),
)
NIGHT = DiffResult(
    old=Side("prod~1", V2, at("04-01 09:00"), "cleo", "v2: history and week 1"),
    new=Side("prod", BAD, at("04-22 02:00"), "cron <cron@clinic.example>", "nightly retrain"),
    artifacts=(RULES, CONFIG, DATA, MODEL, CODE, BROKEN, REWRITTEN),
    metrics=METRICS,
    environment=(("scikit-learn", "1.3.2", "1.9.1"), ("numpy", None, "2.4.6")),
    git=("1111111111111111", "2222222222222222"),
)
