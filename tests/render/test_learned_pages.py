"""The pages about what is known of a commit: alerts, metrics, notes, lineage, show."""

from __future__ import annotations

import json
from dataclasses import replace

from rich.console import RenderableType

from mlver.objects.commit import Environment, GitState
from mlver.render import alert_stats, alerts, facts, lineage, show, status
from mlver.render.console import to_text
from mlver.render.dot import lineage_dot
from mlver.render.prov import lineage_prov
from mlver.verbs.alert_stats import AlertStatsResult, AlertTypeStats
from mlver.verbs.alerts import Action, Alert, AlertsResult
from mlver.verbs.cat import CatResult
from mlver.verbs.impact import Affected, ImpactResult, ServedCommit
from mlver.verbs.lineage import LineageEdge, LineageNode, LineageResult
from mlver.verbs.metrics import MetricsResult, MetricValue
from mlver.verbs.note import Note, NotesResult
from mlver.verbs.show import ArtifactInfo, FactInfo, Served, ShowResult, ShowUnitResult
from mlver.verbs.status import LiveNow, Odd, Stale, StatusResult
from tests.render.made import BAD, V2, at, blob, change, info

ID, BAD_ID = V2.short, BAD.short


def page(renderable: RenderableType) -> str:
    return to_text(renderable, width=80)


def test_status_tells_changes_stale_models_live_stages_and_alerts() -> None:
    result = StatusResult(
        root="/clinic",
        branch="main",
        head=V2,
        changes=(
            change("config/pipeline.json", "config", old_size=85, new_size=81),
            change("data/w3.csv", "data", "added", new_size=17_800),
            change("models/b.joblib", "model", "renamed", was="models/a.joblib", old_size=10, new_size=10),
        ),
        odd=(Odd("data/pipe", "is a FIFO"),),
        stale=(Stale("models/b.joblib", "model", ("config/pipeline.json",)),),
        stages=(LiveNow("prod", "clinic=C", BAD, "nightly", at("04-22 02:00"), "cron", "gate", 2),),
        open_alerts=("A0087", "A0088"),
        files=3,
        bytes=20_000,
        unsettled=("canary",),
    )
    assert page(status.status_page(result)) == (
        f"on branch main at {ID}\n"
        "\n"
        "3 changes to commit:\n"
        "  modified  config  config/pipeline.json               85 B → 81 B\n"
        "  added     data    data/w3.csv                        17.4 KiB\n"
        "  renamed   model   models/a.joblib → models/b.joblib  10 B\n"
        "\n"
        "a commit would refuse these:\n"
        "  data/pipe  is a FIFO\n"
        "\n"
        "stale, made from inputs that have changed since:\n"
        "  model  models/b.joblib  ← config/pipeline.json\n"
        "\n"
        "live:\n"
        f"  prod/clinic=C  {BAD_ID}  nightly  2024-04-22 02:00Z  cron  2 behind\n"
        "\n"
        "2 open alerts: A0087, A0088\n"
        "the link of these stages waits to be moved: canary\n"
    )


IGNORED = Action("ignored", "", at("02-12 04:10"))
ACTION = Action("acted", "dana", at("02-11 04:10"), "added rule R2", "TRI-31", (V2,))


def test_alerts_say_what_was_live_and_what_was_done() -> None:
    fired = Alert("A0088", "flag_rate_drop", at("04-22 03:05"), "page", "open", "prod", "clinic=C", BAD, "0.36 -> 0.11")
    old = Alert("A0020", "null_fraction", at("02-11 04:10"), "warn", "acted", "prod", "", V2, None, (ACTION,))
    result = AlertsResult((fired, old))
    assert page(alerts.alerts_page(result)) == (
        "alert  at                 type            severity  state  live then\n"
        f"A0088  2024-04-22 03:05Z  flag_rate_drop  page      open   {BAD_ID}\n"
        "       0.36 -> 0.11\n"
        f"A0020  2024-02-11 04:10Z  null_fraction   warn      acted  {ID}\n"
        "       dana: added rule R2 (TRI-31)\n"
    )
    ignored = Alert("A0021", "psi", at("02-12 04:10"), "warn", "ignored", None, None, None, None, (IGNORED,))
    assert page(alerts.alerts_page(AlertsResult((ignored,)))).splitlines()[1:] == [
        "A0021  2024-02-12 04:10Z  psi   warn      ignored"
    ]
    assert page(alerts.alerts_page(result, full=True)) == (
        "A0088  2024-04-22 03:05Z  flag_rate_drop  page  open\n"
        "  0.36 -> 0.11\n"
        f"  live on prod/clinic=C when it fired: {BAD_ID}\n"
        "\n"
        "A0020  2024-02-11 04:10Z  null_fraction  warn  acted\n"
        f"  live on prod when it fired: {ID}\n"
        f"  2024-02-11 04:10Z  acted  dana: added rule R2 (TRI-31) → {ID}\n"
    )


def test_alert_stats_lead_to_what_was_done_last() -> None:
    types = (
        AlertTypeStats("flag_rate_drop", 3, 3, 1, 1.0, 0.438, 1.0, at("04-22 03:05")),
        AlertTypeStats("null_fraction", 41, 1, 0, 1 / 41, 0.004, 0.126, at("04-22 02:40"), ACTION, "A0020"),
    )
    assert page(alert_stats.stats_page(AlertStatsResult(types, 44, 4))) == (
        "type            fired  acted  share      95 %  false  ignored  open\n"
        "flag_rate_drop      3      3   100%  44%–100%      0        0     1\n"
        "null_fraction      41      1     2%    0%–13%      0        0     0\n"
        f"    last: A0020 2024-02-11 dana: added rule R2 (TRI-31) → {ID}\n"
        "\n"
        "44 alerts, 4 acted on (9%)\n"
    )


def test_metrics_not_known_yet_are_unknown() -> None:
    def value(name: str, number: float | None, slice: str = "") -> MetricValue:
        known = at("05-13 10:00")
        n = 8 if number is not None else None
        return MetricValue(BAD, name, slice, number, "data/w3.csv", None, n, known, known, "ana")

    values = (value("recall", 0.375, "clinic=C"), value("recall", None))
    assert page(facts.metrics_page(MetricsResult(BAD, "nightly", values, as_of=at("05-14 00:00")))) == (
        f"{BAD_ID}  nightly  as known at 2024-05-14 00:00Z\n"
        "\n"
        "on data/w3.csv\n"
        "  metric              value  n  as of              by\n"
        "  recall{clinic=C}    0.375  8  2024-05-13 10:00Z  ana\n"
        "  recall            unknown                        ana\n"
    )


def test_several_metrics_of_several_slices_are_a_matrix() -> None:
    known = at("05-13 10:00")
    numbers = {("recall", ""): 0.9, ("recall", "clinic=C"): 0.375, ("missed", ""): 1, ("missed", "clinic=C"): None}
    values = tuple(
        MetricValue(BAD, name, slice, number, None, None, 8 if slice else 80, known, known, "ana")
        for (name, slice), number in numbers.items()
    )
    assert page(facts.metrics_page(MetricsResult(BAD, "nightly", values))).split("\n\n")[1] == (
        "metrics  as of 2024-05-13 10:00Z by ana\n"
        "            all  clinic=C\n"
        "  n          80         8\n"
        "  recall  0.900     0.375\n"
        "  missed      1   unknown\n"
    )
    history = page(facts.metrics_page(MetricsResult(BAD, "nightly", values, history=True)))
    assert "  recall{clinic=C}    0.375   8  2024-05-13 10:00Z  ana  2024-05-13 10:00Z\n" in history


def test_notes_show_marks_and_tickets() -> None:
    note = Note("prod", BAD, "misses cancers\nof clinic C", "bad", "INC-1", "eve", at("04-22 03:20"), at("04-22 03:20"))
    assert page(facts.notes_page(NotesResult((note,)))) == (
        f"2024-04-22 03:20Z  eve  prod {BAD_ID}  bad  INC-1\n  misses cancers\n  of clinic C\n"
    )


HOW = {"command": ["python", "train.py"], "seconds": 2.3}
LINEAGE = LineageResult(
    target="prod",
    commit=V2,
    roots=(blob("model"),),
    nodes=(
        LineageNode(blob("model"), "models/a.joblib", "model", V2, "ana", at("04-01 09:00"), "v2", HOW),
        LineageNode(blob("data"), "data/train.csv", "data", V2, "temp-07", at("03-30 09:00"), "labels"),
        LineageNode(blob("code"), "train.py", "code", None),
    ),
    edges=(LineageEdge(blob("model"), blob("data"), "run"), LineageEdge(blob("model"), blob("code"), "assumed")),
    environment={"python": "3.11.7", "packages": {"numpy": "2.4.6"}},
)  # fmt: skip


def test_many_assumed_inputs_share_a_line_per_kind() -> None:
    data = [LineageNode(blob(f"d{n}"), f"data/{n}.csv", "data", V2) for n in range(6)]
    code = LineageNode(blob("code"), "train.py", "code", None)
    edges = tuple(LineageEdge(blob("model"), node.id, "assumed") for node in (*data, code))
    many = replace(LINEAGE, nodes=(LINEAGE.nodes[0], *data, code), edges=edges)
    told = page(lineage.lineage_page(many))
    assert "├── data 6 files  assumed  data/0.csv, data/1.csv, data/2.csv" in told
    assert "└── code 1 file  assumed  train.py\n" in told
    few = replace(many, edges=edges[:3])
    assert "├── data/0.csv data " in page(lineage.lineage_page(few))


def test_lineage_is_a_tree_back_to_the_sources() -> None:
    assert page(lineage.lineage_page(LINEAGE)) == (
        f"prod  in {ID}\n"
        "\n"
        f"models/a.joblib model {blob('model').short}\n"
        f"  {ID} 2024-04-01 09:00Z ana  v2\n"
        "  $ python train.py  2.3 s\n"
        f"├── data/train.csv data {blob('data').short}\n"
        f"│     {ID} 2024-03-30 09:00Z temp-07  labels\n"
        f"└── train.py code {blob('code').short}  assumed\n"
        "\n"
        "environment  python 3.11.7, 1 package\n"
    )


def test_dot_dashes_what_is_only_assumed() -> None:
    text = page(lineage_dot(LINEAGE))
    model, data, code = (blob(name).short for name in ("model", "data", "code"))
    assert f'  "{data}" -> "{model}";\n' in text
    assert f'  "{code}" -> "{model}" [style=dashed];\n' in text
    assert f'  "{model}" [label="models/a.joblib\\n{model}", shape=box3d, style=bold];\n' in text
    assert text.startswith("digraph lineage {\n") and text.endswith("}\n")


def test_provenance_for_other_tools_names_only_what_it_describes() -> None:
    how = HOW | {"source": "run", "derivation": "d1", "started": "2024-04-01T08:00:00Z", "name": "train"}
    twin = replace(LINEAGE.nodes[0], id=blob("twin"), path="models/b.joblib", how=how)
    result = replace(
        LINEAGE,
        nodes=(replace(LINEAGE.nodes[0], how=how), twin, *LINEAGE.nodes[1:]),
        edges=(*LINEAGE.edges, LineageEdge(twin.id, blob("data"), "run")),
    )
    found = json.loads(lineage_prov(result).plain)
    model, data, code = (f"blob:{blob(name)}" for name in ("model", "data", "code"))
    assert found["entity"][model]["prov:label"] == "models/a.joblib"
    assert found["entity"][data]["prov:type"] == {"$": "mlver:data", "type": "prov:QUALIFIED_NAME"}
    step = found["activity"]["step:d1"]
    assert (step["prov:startTime"], step["prov:endTime"]) == ("2024-04-01T08:00:00Z", "2024-04-01T08:00:02.300000Z")
    assert step["mlver:command"] == '["python", "train.py"]' and step["prov:label"] == "train"
    assert list(found["used"].values()) == [{"prov:activity": "step:d1", "prov:entity": data}], "said once"
    assert [row["prov:entity"] for row in found["wasGeneratedBy"].values()] == [model, f"blob:{twin.id}"]
    (assumed,) = found["wasDerivedFrom"].values()
    assert (assumed["prov:generatedEntity"], assumed["prov:usedEntity"]) == (model, code)
    described = {*found["entity"], *found["activity"], *found["agent"]}
    relations = [row for name in found if name[0] in "uw" for row in found[name].values()]
    assert {value for row in relations for name, value in row.items() if name.startswith("prov:")} <= described
    assert {name.split(":")[0] for name in described} <= set(found["prefix"])


def test_impact_leads_to_what_was_live() -> None:
    made = Affected("models/a.joblib", "model", blob("model"), BAD, at("04-22 01:30"), 2, "run")
    served = ServedCommit(
        "prod", "", at("04-22 02:00"), at("04-22 03:09"), "cron", "r", "promote", None, BAD, ("models/a.joblib",)
    )
    assert page(lineage.impact_page(ImpactResult("c.json#impute", (BAD,), (made,), (served,), ("A0087",)))) == (
        f"c.json#impute  in 1 commit  {BAD_ID}\n"
        "\n"
        "made from it\n"
        f"  model  models/a.joblib  {blob('model').short}  {BAD_ID} 2024-04-22  2 steps, run\n"
        "\n"
        "served\n"
        f"  prod  2024-04-22 02:00Z – 03:09Z  69 min  {BAD_ID}  models/a.joblib\n"
        "\n"
        "1 alert meanwhile: A0087\n"
    )


def test_impact_says_until_when_and_how_many_more_on_a_narrow_page() -> None:
    made = Affected("models/a.joblib", "model", blob("model"), BAD, at("04-22 01:30"), 2, "run")
    paths = ("config/pipeline.json", "models/a.joblib")
    served = ServedCommit(
        "canary", "clinic=C", at("04-20 02:00"), at("04-22 03:09"), "cron", "r", "promote", None, BAD, paths
    )
    alerts = tuple(f"A{number:04}" for number in range(86))
    text = page(lineage.impact_page(ImpactResult("c.json#impute", (BAD,), (made,), (served,), alerts)))
    assert "…" not in text
    assert "2024-04-20 02:00Z" in text and "2024-04-22 03:09Z" in " ".join(text.split())
    assert " ".join(text.split()).endswith("A0011 and 74 more")


def test_show_gathers_all_that_is_known_of_a_commit() -> None:
    result = ShowResult(
        commit=info("v2"),
        artifacts=(ArtifactInfo("data/train.csv", "data", blob("data"), 61_747),),
        environment=Environment("3.11.7", "CPython", "Linux x86_64", {"numpy": "2.4.6"}),
        git=GitState("3f2a1b9c0d7788", "main", blob("patch")),
        parameters={"seed": 46},
        diff=None,
        facts=(FactInfo("metric", "", "ana", at("04-02 09:00"), at("04-02 09:00"), {"name": "recall", "value": 0.9}),),
        served=(Served("prod", "", at("04-02 10:00"), None, "ana", "first", "promote"),),
    )  # fmt: skip
    assert page(show.show_page(result)).split("\n\n", 2)[2] == (
        "made with   CPython 3.11.7, 1 package, Linux x86_64\n"
        "git         3f2a1b9c0d on main + uncommitted patch\n"
        "parameters  seed 46\n"
        "\n"
        "live on\n"
        "  prod  2024-04-02 10:00Z – now  ana  promote: first\n"
        "\n"
        "learned since\n"
        "  metric  2024-04-02 09:00Z  ana  recall 0.900\n"
        "\n"
        "1 artifact, 60.3 KiB\n"
        f"  data  data/train.csv  60.3 KiB  {blob('data').short}\n"
    )


def test_a_unit_is_shown_as_text_and_as_fields() -> None:
    result = ShowUnitResult("rules.json", "R2", "rules", info("v2"), {"then": "refer", "at_least": 3}, ">= 3 -> refer")
    assert page(show.show_unit_page(result)) == (
        f"rules rules.json#R2  as of {ID} 2024-04-01 09:00Z\n\n>= 3 -> refer\n\nthen      refer\nat_least  3\n"
    )


def test_the_first_rows_of_a_table_are_columns() -> None:
    rows = ({"id": "P1", "x": 1.5, "note": None}, {"id": "P2\x1b", "x": None, "note": "a b"})
    assert page(show.cat_page(CatResult("t.csv", "data", rows=rows, more=True))) == (
        "id    x    note\nP1    1.5\nP2\\e       a b\n… more (--head N)\n"
    )
