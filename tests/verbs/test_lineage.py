"""Lineage: back to the first data, by content, recorded or assumed, without a dangling id."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.errors import UnknownRevision, UsageError
from mlver.objects.commit import Derivation
from mlver.repo.repository import Repository
from mlver.verbs.impact import impact
from mlver.verbs.lineage import LineageResult, lineage
from mlver.verbs.promote import promote
from mlver.verbs.run import begin, record, run
from tests.kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.write("data/raw.csv", "id,label\nP1,0\nP2,1\n")
    bench.write("config/pipeline.json", {"C": 1})
    bench.write("rules/rules.json", [{"id": "R1", "then": "refer"}])
    bench.write("train.sh", "cat data/train.csv > models/triage.joblib\n")
    return bench


def step(bench: Bench, inputs: list[str], output: str, content: str, command: tuple[str, ...] = ("make",)) -> None:
    """Record a step as if a program had made `output` of `inputs`."""
    before = begin(bench.repo)
    bench.write(output, content)
    record(bench.repo, before, command=command, inputs=inputs, outputs=[output])


def by_path(result: LineageResult) -> dict[str, list[str]]:
    """Output path -> input paths."""
    names = {node.id: node.path for node in result.nodes}
    found: dict[str, list[str]] = {}
    for edge in result.edges:
        found.setdefault(names[edge.output], []).append(names[edge.input])
    return {path: sorted(inputs) for path, inputs in found.items()}


def roots(result: LineageResult) -> list[str]:
    names = {node.id: node.path for node in result.nodes}
    return [names[id] for id in result.roots]


def test_a_model_leads_back_through_every_step_to_the_first_data(bench: Bench) -> None:
    bench.commit("raw", by="cleo", trailers={"why": ["first export"]})
    step(bench, ["data/raw.csv"], "data/train.csv", "id,label\nP1,0\n")
    bench.commit("cleaned")
    step(
        bench, ["data/train.csv", "config/pipeline.json", "train.sh"], "models/triage.joblib", "m1", ("sh", "train.sh")
    )
    bench.commit("v1", by="ana")
    bench.write("data/raw.csv", "id,label\nP9,9\n")
    bench.commit("unrelated news")
    result = lineage(bench.repo, "models/triage.joblib")
    assert by_path(result) == {
        "models/triage.joblib": ["config/pipeline.json", "data/train.csv", "train.sh"],
        "data/train.csv": ["data/raw.csv"],
    }
    nodes = {node.path: node for node in result.nodes}
    raw = nodes["data/raw.csv"]
    assert (raw.commit, raw.author, raw.why, raw.how) == (bench.repo.resolve("HEAD~3"), "cleo", "first export", None)
    assert raw.id == bench.repo.snapshot(bench.repo.resolve("HEAD~3"))["data/raw.csv"].id
    model = nodes["models/triage.joblib"]
    assert model.commit == bench.repo.resolve("HEAD~1")
    assert model.how is not None
    assert (model.how["source"], model.how["command"]) == ("run", ["sh", "train.sh"])
    assert {edge.source for edge in result.edges} == {"run"}
    assert result.environment["python"]


def test_a_stage_shows_its_models_and_what_else_it_serves(bench: Bench) -> None:
    step(bench, ["data/raw.csv", "config/pipeline.json"], "models/triage.joblib", "m1")
    bench.commit("v1")
    promote(bench.repo, "prod", reason="first")
    result = lineage(bench.repo, "prod")
    assert roots(result) == ["models/triage.joblib", "rules/rules.json", "train.sh"]
    assert {node.path for node in result.nodes} == {
        "models/triage.joblib", "data/raw.csv", "config/pipeline.json", "rules/rules.json", "train.sh",
    }  # fmt: skip
    assert by_path(result) == {"models/triage.joblib": ["config/pipeline.json", "data/raw.csv"]}
    assert result.commit == bench.repo.resolve("HEAD")


def test_where_nothing_was_recorded_the_first_snapshot_is_assumed_and_said_to_be(bench: Bench) -> None:
    bench.write("models/triage.joblib", "m1")
    bench.write("metrics/static.json", {"recall": 1})
    bench.write("mlver.toml", "")
    first = bench.commit("v1")
    bench.write("data/raw.csv", "id,label\nP9,9\n")
    bench.commit("new data, old model")
    result = lineage(bench.repo, "models/triage.joblib")
    assert by_path(result) == {
        "models/triage.joblib": ["config/pipeline.json", "data/raw.csv", "rules/rules.json", "train.sh"]
    }
    assert {edge.source for edge in result.edges} == {"assumed"}
    nodes = {node.path: node for node in result.nodes}
    assert nodes["data/raw.csv"].id == bench.repo.snapshot(first)["data/raw.csv"].id
    assert nodes["models/triage.joblib"].how == {"source": "assumed"}
    assert "models/triage.joblib" in by_path(lineage(bench.repo, "metrics/static.json"))["metrics/static.json"]


def test_a_model_beside_recorded_ones_was_brought_unless_it_was_made_before(bench: Bench) -> None:
    bench.write("models/fallback.json", {"kind": "rule", "value": 15})
    step(bench, ["data/raw.csv"], "models/triage.joblib", "m1")
    bench.commit("v1")
    assert by_path(lineage(bench.repo, "models/fallback.json")) == {}
    bench.write("models/triage.joblib", "m2, trained by hand")
    step(bench, ["data/raw.csv"], "models/other.joblib", "o1")
    bench.commit("v2")
    by_hand = lineage(bench.repo, "models/triage.joblib")
    assert {edge.source for edge in by_hand.edges} == {"assumed"}
    affected = impact(bench.repo, "data/raw.csv").affected
    assert sorted((one.path, one.source) for one in affected) == [
        ("models/other.joblib", "run"),
        ("models/triage.joblib", "assumed"),
        ("models/triage.joblib", "run"),
    ]


def test_a_model_trained_anew_on_the_same_paths_has_its_own_inputs(bench: Bench) -> None:
    step(bench, ["data/raw.csv"], "models/triage.joblib", "m1")
    bench.commit("v1")
    bench.write("data/raw.csv", "id,label\nP3,1\n")
    step(bench, ["data/raw.csv"], "models/triage.joblib", "m2")
    bench.commit("v2")
    old, new = lineage(bench.repo, "models/triage.joblib@HEAD~1"), lineage(bench.repo, "models/triage.joblib")
    assert old.edges[0].input != new.edges[0].input
    assert [n.commit for n in old.nodes] == [bench.repo.resolve("HEAD~1")] * 2
    assert [n.commit for n in new.nodes] == [bench.repo.resolve("HEAD")] * 2


def test_what_mlver_toml_declares_is_taken(bench: Bench) -> None:
    declared = '[lineage."models/*"]\ninputs = ["data", "config/pipeline.json"]\ncommand = "sh train.sh"\n'
    bench.write("mlver.toml", declared)
    bench.write("models/triage.joblib", "m1")
    bench.commit("v1")
    result = lineage(bench.repo, "models/triage.joblib")
    assert by_path(result) == {"models/triage.joblib": ["config/pipeline.json", "data/raw.csv"]}
    assert {edge.source for edge in result.edges} == {"declared"}


def test_an_input_that_was_never_committed_is_a_node_without_a_commit(bench: Bench) -> None:
    bench.commit("start")
    bench.write("data/raw.csv", "id,label\nSECRET,1\n")
    step(bench, ["data/raw.csv"], "models/triage.joblib", "m1")
    bench.write("data/raw.csv", "id,label\nP1,0\nP2,1\n")
    bench.commit("v1")
    result = lineage(bench.repo, "models/triage.joblib")
    (raw,) = [node for node in result.nodes if node.path == "data/raw.csv"]
    assert (raw.commit, raw.author) == (None, None)


def test_depth_cuts_and_says_so(bench: Bench) -> None:
    step(bench, ["data/raw.csv"], "data/train.csv", "id,label\nP1,0\n")
    bench.commit("cleaned")
    step(bench, ["data/train.csv"], "models/triage.joblib", "m1")
    bench.commit("v1")
    shown = {depth: by_path(lineage(bench.repo, "models/triage.joblib", depth=depth)) for depth in (0, 1, 2)}
    assert shown[0] == {}
    assert shown[1] == {"models/triage.joblib": ["data/train.csv"]}
    assert shown[2] == by_path(lineage(bench.repo, "models/triage.joblib"))
    assert [lineage(bench.repo, "models/triage.joblib", depth=depth).cut for depth in (0, 1, 2)] == [True, True, False]
    with pytest.raises(UsageError, match="negative"):
        lineage(bench.repo, "HEAD", depth=-1)


def test_a_file_made_from_its_own_older_self_ends(bench: Bench) -> None:
    for content in ("a\n1\n", "a\n2\n", "a\n1\n"):
        step(bench, ["data/raw.csv"], "data/raw.csv", content)
        bench.commit(f"to {content!r}")
    result = lineage(bench.repo, "data/raw.csv")
    assert {n.path for n in result.nodes} == {"data/raw.csv"}
    ids = {node.id for node in result.nodes}
    assert all({edge.output, edge.input} <= ids and edge.output != edge.input for edge in result.edges)


def test_a_run_inside_git_names_the_code_commit(bench: Bench) -> None:
    for words in (["init", "-q"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty"]):
        subprocess.run(["git", *words], cwd=bench.root, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=bench.root, capture_output=True, text=True).stdout.strip()
    bench.write("models/keep.txt", "")
    bench.write("data/train.csv", "a\n")
    result = run(bench.repo, ["sh", "train.sh"], inputs=["data/train.csv"], outputs=["models/triage.joblib"])
    assert result.derivation is not None
    assert bench.repo.store.get_object(Derivation, result.derivation).git is not None
    bench.commit("v1")
    assert (lineage(bench.repo, "models/triage.joblib").git or {})["commit"] == head


@pytest.mark.parametrize("target", ["models/none.joblib", "nothing", "data/raw.csv@nowhere"])
def test_what_is_not_there_is_named(bench: Bench, target: str) -> None:
    bench.commit("start")
    with pytest.raises(UnknownRevision):
        lineage(bench.repo, target)


def test_units_have_no_lineage_of_their_own(bench: Bench) -> None:
    bench.commit("start")
    with pytest.raises(UsageError, match="blame"):
        raise_hint(bench.repo)


def raise_hint(repo: Repository) -> None:
    try:
        lineage(repo, "rules/rules.json#R1")
    except UsageError as error:
        raise UsageError(f"{error.message} {error.hint}") from None


NAMES = ["a", "b", "c", "d"]
STEPS = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES), min_size=1, unique=True), st.sampled_from(NAMES), st.integers(0, 2)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=6)
@given(STEPS)
def test_whatever_was_made_of_whatever_every_edge_joins_two_nodes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[list[str], str, int]]
) -> None:
    bench = Bench(tmp_path_factory.mktemp("any"))
    for name in NAMES:
        bench.write(f"data/{name}.csv", f"{name}\n")
    bench.commit("start")
    for inputs, output, content in steps:
        step(bench, [f"data/{name}.csv" for name in inputs], f"data/{output}.csv", f"{content}\n")
        bench.commit("next", allow_empty=True)
    for name in NAMES:
        result = lineage(bench.repo, f"data/{name}.csv")
        ids = {node.id for node in result.nodes}
        assert len(ids) == len(result.nodes)
        assert {id for edge in result.edges for id in (edge.output, edge.input)} <= ids
        assert set(result.roots) <= ids
        made = {edge.output for edge in result.edges}
        assert all(node.how is not None for node in result.nodes if node.id in made)
