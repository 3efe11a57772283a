"""The parsers of what people and programs write for mlver: mlver.toml, ignore files, conditions, answers, evidence."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mlver.errors import MlverError
from mlver.kinds.base import Spec, Unreadable
from mlver.repo.ignore import IGNORE_FILE, Ignore
from mlver.repo.measuring import answered, numbers
from mlver.repo.names import check_path, check_ref
from mlver.repo.predictions import read_predictions
from mlver.repo.project import parse_project
from mlver.repo.repository import Repository
from mlver.repo.revisions import parse_target, resolve
from mlver.repo.settings import KNOWN, Settings
from mlver.repo.settings import parse_value as parse_setting
from mlver.verbs.evidence_check import check_evidence
from mlver.verbs.evidence_members import NotEvidence
from tests.kinds.byte_source import ByteSource

# -- mlver.toml and the other files of a project ---------------------------------------------------------

TOML = (
    """[[artifact]]
path = "data/*.csv"
kind = "data"
key = ["id"]
order = true
[lineage."models/m.json"]
inputs = ["data/*.csv"]
command = "python train.py"
[policy]
allowed_signers = "keys"
promote = ["plain data", "unknown"]
[stages.canary]
[stages.prod]
require = ["recall{clinic=*} >= 0.9 on data/t.csv n >= 3", "accuracy >= baseline - 2%"]
after = "canary"
approvers = ["ana"]
second_person = true
percents = [5, 100]
lineage = "complete"
models = "plain data"
include = ["model", "rules"]
[people.ana]
left = 2024-03-12
aliases = ["a"]
""",
    """[metrics.recall]
direction = "higher"
formula = "tp / (tp + fn)"
unit = "share"
window = "7d"
owner = "ana"
product = true
[slices.young]
where = "age < 30"
[slo.triage]
require = ["recall{clinic=C} >= 0.9", "recall{*} >= 0.95"]
stage = "prod"
on = "data/live/*"
[alerts.drift]
ignored_after = "14d"
[alerts.default]
ignored_after = "never"
""",
)


def project_feed(data: bytes) -> object:
    """Read mlver.toml, and all that reads a section of it; each for itself, as one complaint hides no other."""
    project = parse_project(data)
    refused: MlverError | None = None
    for read in _sections():
        try:
            read(project)
        except MlverError as error:
            refused = error
    if refused is not None:
        raise refused
    return project


@cache
def _sections() -> tuple[Callable[[Any], object], ...]:
    from mlver.repo.alert_policy import alert_policy
    from mlver.repo.metric_policy import metric_policy
    from mlver.repo.people import people
    from mlver.repo.slo_policy import objectives
    from mlver.repo.stage_policy import check_policies, stage_policy
    from mlver.repo.whole_policy import whole_policy

    return (
        alert_policy, metric_policy, people, objectives, check_policies, whole_policy,
        lambda project: stage_policy(project, "prod"), lambda project: project.kind("data/t.csv"),
        lambda project: project.spec("data/t.csv"),
    )  # fmt: skip


def ignore_feed(data: bytes) -> object:
    Path(IGNORE_FILE).write_bytes(data)
    ignore = Ignore.load(Path())
    return [ignore.file(path, path.rpartition("/")[2]) for path in ("a/b.csv", "x.tmp", "é")]


def settings_feed(data: bytes) -> object:
    Path("config.toml").write_bytes(data)
    settings = Settings.load(Path("config.toml"), None)
    return [settings.get(name) for name in KNOWN], settings.remotes()


def setting_feed(text: str) -> object:
    name, _, value = text.partition("=")
    return parse_setting(name, value)


# -- little languages ------------------------------------------------------------------------------------


@cache
def _repository() -> Repository:
    from tests.kit import Bench

    bench = Bench(Path(tempfile.mkdtemp(prefix="fuzz-repo-")) / "r")
    bench.write("data/t.csv", "id,x\n1,2\n")
    bench.commit("one")
    bench.write("data/t.csv", "id,x\n1,3\n")
    bench.commit("two")
    return bench.repo


def revision_feed(text: str) -> object:
    try:
        return resolve(_repository(), text)
    except MlverError:
        return parse_target(_repository(), text)


@cache
def _columns() -> Any:
    import pyarrow as pa

    return pa.table({"id": [1, 2, 3], "age": [10, None, 90], "name": ["a", "b", None], "x y": [1.5, 2.5, float("nan")]})


def where_feed(text: str) -> object:
    from mlver.kinds.tables.where import parse_where

    return parse_where(text, _columns().schema)


@cache
def _sandbox() -> Any:
    from mlver.kinds.predicates.sandbox import Sandbox

    return Sandbox(_columns())


def predicate_feed(data: bytes) -> object:
    """A condition of a rule, as text, or as a rule in JSON; checked, and asked of a table."""
    from mlver.kinds.predicates.outcome import OpenTable
    from mlver.kinds.predicates.wording import Forbidden, Malformed

    text = data.decode("utf-8", "replace")
    try:
        rule = json.loads(text) if text.startswith("{") else {"if": text}
    except (ValueError, RecursionError):
        rule = {"if": text}
    try:
        return OpenTable(_sandbox()).test("R1", rule)
    except (Malformed, Forbidden) as error:  # what callers tell as the reason why a rule was not tested
        raise Unreadable(str(error)) from error


def evidence_feed(data: bytes) -> object:
    Path("e.tar").write_bytes(data)
    try:
        return check_evidence("e.tar")
    except NotEvidence as error:  # of the script that stands alone; the verb tells it as its own
        raise Unreadable(str(error)) from error


def evidences_feed() -> list[bytes]:
    from mlver.verbs.evidence import write_evidence

    repo, path = _repository(), Path(tempfile.mkdtemp(prefix="fuzz-evidence-")) / "e.tar"
    write_evidence(repo, "HEAD", path)
    return [path.read_bytes()]


def alerts_feed(data: bytes) -> object:
    from mlver.repo.alert_files import read_alerts

    return read_alerts(ByteSource("alerts/a.json", data))


def measured_feed(data: bytes) -> object:
    try:
        return numbers(data, "it")
    except MlverError:
        return answered(data, "it")


def predicted_feed(data: bytes) -> object:
    return read_predictions(data, ["id"], ["1", "2", "3"], "it")


def name_feed(text: str) -> object:
    try:
        return check_ref(text)
    except MlverError:
        return check_path(text)


def rows_feed(text: str) -> Mapping[str, Any]:
    from mlver.cli.values import parse_pairs

    return parse_pairs(text.split("\x00"))


def edit_marks_feed(data: bytes) -> object:
    """A merge by unit of three versions, one of them damaged."""
    from mlver.kinds import registry

    kind = registry.get("rules")
    return kind.units(ByteSource("rules/r.yaml", data), Spec(options={"order": True}))
