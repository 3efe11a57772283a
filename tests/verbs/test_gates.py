"""Gates: what a stage asks for holds before anything moves; the unknown does not; overrides stay on record."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlver.errors import UsageError
from mlver.repo.dataset_use import uses
from mlver.repo.persons import same_person
from mlver.repo.refusal_facts import REFUSAL
from mlver.verbs.alerts import act_on_alert, add_alert
from mlver.verbs.check import check
from mlver.verbs.deployed import deployed, ledger
from mlver.verbs.metrics import add_metrics
from mlver.verbs.note import add_note
from mlver.verbs.promote import NotLetThrough, promote
from mlver.verbs.rollback import rollback
from mlver.verbs.rules_leakage import find_leakage
from mlver.verbs.run import run
from tests.verbs.stages import Clinic, served

STATIC = "data/val/static.csv"


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    bench = Clinic(tmp_path / "clinic")
    bench.write(STATIC, "id,label\n1,0\n2,1\n")
    return bench


def gate(bench: Clinic, text: str, stage: str = "prod") -> None:
    """Commit a gate."""
    bench.write("mlver.toml", f"[stages.{stage}]\n{text}\n")
    bench.commit(f"a gate for {stage}")


def states(result) -> list[tuple[str, str]]:
    return [(row.requirement, row.state) for row in result.rows]


def test_a_metric_holds_is_broken_or_is_not_known(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, 'require = ["recall{clinic=*} >= 0.9 on data/val/static.csv", "accuracy >= 0.95", "auc > 0.5"]')
    add_metrics(clinic.repo, "HEAD", {"accuracy": 0.958, "clinic=A": {"recall": 1.0, "n": 8}}, dataset=STATIC)
    add_metrics(clinic.repo, "HEAD", {"clinic=C": {"recall": 0.375, "n": 8}}, dataset=STATIC)
    result = check(clinic.repo, "HEAD")
    assert [(row.slice, row.state) for row in result.rows] == [
        ("clinic=A", "met"),
        ("clinic=C", "broken"),
        (None, "met"),
        (None, "unknown"),
    ]
    assert (result.state, result.passed) == ("broken", False)
    assert result.rows[1].why == "0.375, not >= 0.9" and result.rows[1].n == 8


def test_where_gates_are_written_a_stage_nobody_knows_lets_nothing_through(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, 'after = "staging"')
    with pytest.raises(UsageError, match="no stage pord: ") as wrong:
        check(clinic.repo, against="pord")
    assert wrong.value.hint == "stages: prod, staging"
    assert check(clinic.repo, against="staging").passed
    promote(clinic.repo, "shadow", reason="to look at it")
    assert check(clinic.repo, against="shadow").passed


def test_a_gate_on_an_unknown_metric_fails_closed_and_the_refusal_is_recorded(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, 'require = ["recal >= 0.9"]')
    assert check(clinic.repo, "HEAD").state == "unknown"
    before = clinic.repo.view.stages
    with pytest.raises(NotLetThrough, match=r"recal >= 0\.9: never measured") as refused:
        promote(clinic.repo, "prod", reason="please")
    assert refused.value.exit_code == 1 and "mlver check" in str(refused.value.hint)
    assert clinic.repo.refresh().stages == before
    (fact,) = clinic.repo.facts.of(REFUSAL)
    assert fact.subject["stage"] == "prod" and fact.body["rows"][0]["requirement"] == "recal >= 0.9"
    assert fact.by == "ana"


def test_a_metric_counts_only_on_the_data_as_it_is_today(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, f'require = ["recall >= 0.9 on {STATIC}"]')
    add_metrics(clinic.repo, "HEAD", {"recall": 0.95}, dataset=STATIC)
    assert check(clinic.repo, "HEAD").passed
    clinic.write(STATIC, "id,label\n1,0\n2,1\n3,1\n")
    clinic.commit("more to validate on")
    result = check(clinic.repo, "HEAD~1")
    assert (result.state, result.rows[0].why) == ("unknown", f"measured on an older version of {STATIC}")


def test_the_gate_of_today_judges_commits_that_are_older_than_it(clinic: Clinic) -> None:
    bad = clinic.bundle("bad", "-1", "none", "bad")
    gate(clinic, 'require = ["accuracy >= 0.95"]')
    add_metrics(clinic.repo, str(bad), {"accuracy": 0.958, "clinic=C": {"recall": 0.375}}, dataset=STATIC)
    lenient = clinic.repo.view.head
    gate(clinic, 'require = ["recall{clinic=*} >= 0.9"]')
    assert not check(clinic.repo, str(bad)).passed
    assert check(clinic.repo, str(bad), policy=str(lenient)).passed
    clinic.write("mlver.toml", '[stages.prod]\nrequire = ["accuracy >= 0"]\n')
    result = check(clinic.repo, str(bad))
    assert not result.passed and "that of HEAD counts" in result.warnings[0]


def test_the_baseline_is_what_is_live(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, 'require = ["accuracy >= baseline - 0.01"]')
    assert check(clinic.repo, "HEAD").rows[0].why == "nothing is live on prod to compare with"
    add_metrics(clinic.repo, "HEAD", {"accuracy": 0.95}, dataset=STATIC)
    promote(clinic.repo, "prod")
    clinic.bundle("v2", "median", "R1", "second")
    add_metrics(clinic.repo, "HEAD", {"accuracy": 0.93}, dataset=STATIC)
    with pytest.raises(NotLetThrough, match=r"0\.93, not >= 0\.94"):
        promote(clinic.repo, "prod")
    row = check(clinic.repo, "HEAD").rows[0]
    assert (row.baseline, row.limit, row.value) == (0.95, pytest.approx(0.94), 0.93)


def test_an_override_needs_a_reason_and_stays_in_the_ledger(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, 'require = ["recall >= 0.9"]\nsecond_person = true')
    with pytest.raises(UsageError, match="--override needs a reason"):
        promote(clinic.repo, "prod", override=True)
    result = promote(clinic.repo, "prod", override=True, reason="the hospital is waiting")
    passed = [text for text in result.warnings if text.startswith("passed over: ")]
    assert result.changed and len(passed) == 2 and "passed over: recall >= 0.9" in passed[0]
    evidence = deployed(clinic.repo, "prod").evidence
    assert evidence["override"] == "override"
    assert [row["state"] for row in evidence["gate"]] == ["unknown", "broken"]


def test_what_the_approver_saw_stays_as_it_was(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, f'require = ["recall >= 0.9 on {STATIC}"]')
    add_metrics(clinic.repo, "HEAD", {"recall": 0.952}, dataset=STATIC, n=42)
    promote(clinic.repo, "prod")
    add_metrics(clinic.repo, "HEAD", {"recall": 0.375}, dataset=STATIC, n=8)
    (row,) = deployed(clinic.repo, "prod").evidence["gate"]
    assert (row["value"], row["n"], row["state"]) == (0.952, 42, "met")


def test_a_dataset_that_decides_is_used_up_count_by_count(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, f'require = ["recall >= 0.9 on {STATIC}"]')
    id = clinic.repo.head_snapshot()[STATIC].id
    add_metrics(clinic.repo, "HEAD", {"recall": 0.952}, dataset=STATIC)
    assert check(clinic.repo).used[0].times == 0
    promote(clinic.repo, "prod")
    clinic.bundle("v2", "median", "R1", "second")
    add_metrics(clinic.repo, "HEAD", {"recall": 0.5}, dataset=STATIC)
    with pytest.raises(NotLetThrough):
        promote(clinic.repo, "prod")
    assert uses(clinic.repo, id) == check(clinic.repo).used[0].times == 2


def test_stages_come_in_order_unless_somebody_says_why_not(clinic: Clinic) -> None:
    clinic.write("mlver.toml", '[stages.canary]\nafter = "dev"\n[stages.prod]\nafter = "canary"\n')
    clinic.bundle("v1", "median", "R1", "first")
    with pytest.raises(NotLetThrough, match="never live on canary"):
        promote(clinic.repo, "prod")
    with pytest.raises(UsageError, match="--skip needs a reason"):
        promote(clinic.repo, "prod", skip=True)
    promote(clinic.repo, "dev")
    promote(clinic.repo, "canary")
    assert promote(clinic.repo, "prod").changed
    clinic.bundle("v2", "median", "R1", "second")
    promote(clinic.repo, "prod", skip=True, reason="nightly")
    assert deployed(clinic.repo, "prod").evidence["override"] == "skip"


def test_skip_leaves_out_the_order_alone(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, 'after = "canary"\nrequire = ["recall >= 0.9"]')
    with pytest.raises(NotLetThrough, match="recall"):
        promote(clinic.repo, "prod", skip=True, reason="nightly")


def test_a_second_person_approves_unless_it_is_automation(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, 'second_person = true\napprovers = ["ben", "Ana <ana@clinic.example>"]\nautomation = ["cron"]')
    clinic.repo.actor = "Ana <ana@clinic.example>"
    with pytest.raises(NotLetThrough, match="somebody other than the author"):
        promote(clinic.repo, "prod")
    clinic.repo.actor = "eve"
    with pytest.raises(NotLetThrough, match="eve is not one of them"):
        promote(clinic.repo, "prod")
    clinic.repo.actor = "ana@partner.example"  # another mailbox of the same name is not on the list
    with pytest.raises(NotLetThrough, match="is not one of them"):
        promote(clinic.repo, "prod")
    clinic.repo.actor = "ben"
    assert promote(clinic.repo, "prod").changed
    clinic.repo.actor = "cron"
    clinic.bundle("v2", "median", "R1", "second")
    assert promote(clinic.repo, "prod").changed


def test_an_open_critical_alert_or_a_bad_mark_stops_a_commit(clinic: Clinic) -> None:
    clinic.live("v1", "median", "R1", "first", stage="canary")
    gate(clinic, "no_open_alerts = true")
    add_alert(clinic.repo, "flag_rate_drop", id="A1", stage="canary", severity="page", at=clinic.clock())
    assert check(clinic.repo, "canary").rows[0].why == "alert A1 (page) is open"
    act_on_alert(clinic.repo, "A1", did="looked: a holiday")
    assert check(clinic.repo, "canary").passed
    add_note(clinic.repo, "canary", "missed cancers", mark="bad")
    assert check(clinic.repo, "canary").rows[0].why == "marked bad"


def test_lineage_that_nobody_recorded_is_not_complete(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, 'lineage = "complete"\nfresh = true')
    assert states(check(clinic.repo)) == [
        ("how every model was made is recorded", "broken"),
        ("no model is older than its inputs", "met"),
    ]
    code = "open('models/triage.joblib', 'wb').write(b'trained on ' + open('data/train.csv', 'rb').read())"
    run(clinic.repo, [sys.executable, "-c", code], inputs=["data/train.csv"], outputs=["models/triage.joblib"])
    clinic.commit("trained")
    assert check(clinic.repo).passed
    clinic.write("data/train.csv", "id,x\n1,changed\n")
    clinic.commit("new data")
    assert check(clinic.repo).rows[1].why == "models/triage.joblib was made before data/train.csv changed"


def test_training_data_that_nobody_compared_with_what_judges_lets_nothing_through(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, f'require = ["recall >= 0.9 on {STATIC}"]\nno_leakage = true')
    add_metrics(clinic.repo, "HEAD", {"recall": 1.0}, dataset=STATIC)
    row = check(clinic.repo).rows[-1]
    assert (row.name, row.state) == ("leakage", "unknown") and "is not recorded" in row.why
    code = "open('models/triage.joblib', 'wb').write(b'trained on ' + open('data/train.csv', 'rb').read())"
    run(clinic.repo, [sys.executable, "-c", code], inputs=["data/train.csv"], outputs=["models/triage.joblib"])
    id = clinic.commit("trained")
    add_metrics(clinic.repo, "HEAD", {"recall": 1.0}, dataset=STATIC)
    row = check(clinic.repo).rows[-1]
    assert (row.state, row.why.split(": ")[0]) == ("unknown", "never compared") and row.why.endswith(STATIC)
    find_leakage(clinic.repo, "data/train.csv", STATIC)
    assert check(clinic.repo).rows[-1].why == f"{STATIC} and data/train.csv: 1 rows of the same name"
    with pytest.raises(NotLetThrough, match="rows of the same name"):
        promote(clinic.repo, "prod")
    clinic.write(STATIC, "id,label\n7,0\n8,1\n")
    clinic.commit("another hold-out")
    add_metrics(clinic.repo, str(id), {"recall": 1.0}, dataset=STATIC)
    assert check(clinic.repo, str(id)).rows[-1].state == "unknown", "the answer was about another hold-out"
    find_leakage(clinic.repo, "data/train.csv", STATIC)
    assert check(clinic.repo, str(id)).passed


def test_the_last_stage_misses_a_metric_of_the_product(clinic: Clinic) -> None:
    defined = '[metrics.missed]\nproduct = true\n[stages.prod]\nafter = "canary"\nrequire = ["recall >= 0.9"]\n'
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, 'require = ["recall >= 0.9"]\n[stages.prod]\nafter = "canary"\nrequire = ["recall >= 0.9"]', "canary")
    add_metrics(clinic.repo, "HEAD", {"recall": 1.0}, dataset=STATIC)
    assert promote(clinic.repo, "canary").warnings == (), "what comes later will be asked"
    assert promote(clinic.repo, "prod").warnings == (
        "no metric in mlver.toml is marked product = true: how the product does will not be in reports",
    )
    clinic.write("mlver.toml", defined)
    clinic.commit("a metric of the product")
    add_metrics(clinic.repo, "HEAD", {"recall": 1.0}, dataset=STATIC)
    assert promote(clinic.repo, "prod", skip=True, reason="small").warnings == (
        "passed over: was live on canary: never live on canary",
    )


def test_percents_rise_step_by_step_and_each_stands_in_the_ledger(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, "percents = [1, 5, 25, 100]")
    with pytest.raises(NotLetThrough, match="1 % comes before 5 %"):
        promote(clinic.repo, "prod", percent=5)
    with pytest.raises(NotLetThrough, match="7 % is no step"):
        promote(clinic.repo, "prod", percent=7)
    for percent in (1, 5, 25):
        assert promote(clinic.repo, "prod", percent=percent).changed
    assert not promote(clinic.repo, "prod", percent=25).changed
    assert promote(clinic.repo, "prod", percent=5).changed  # going down is always allowed
    entries = ledger(clinic.repo, "prod").entries
    assert [entry.percent for entry in entries] == [5, 25, 5, 1]
    third = entries[1]
    assert deployed(clinic.repo, "prod", at=third.since).percent == 25
    with pytest.raises(UsageError, match="not a share"):
        promote(clinic.repo, "prod", percent=0)


def test_a_rollback_ends_a_ramp_and_says_how_to_go_on(clinic: Clinic) -> None:
    old = clinic.live("v1", "median", "R1", "first")
    new = clinic.bundle("v2", "median", "R1", "second")
    promote(clinic.repo, "prod", percent=5)
    step = promote(clinic.repo, "prod", percent=25)
    assert step.undo == f"mlver promote prod {new.short} --percent 5"
    back = rollback(clinic.repo, "prod", reason="flag rate")
    assert back.new == old and back.undo == f"mlver promote prod {new.short} --percent 25"
    now = deployed(clinic.repo, "prod")
    assert (now.commit, now.percent, now.reason) == (old, 100, "flag rate")
    assert served(back)["models/triage.joblib"] == b"the first model"


def test_models_trained_with_other_versions_than_serve_are_stopped(clinic: Clinic) -> None:
    clinic.write("requirements.txt", "numpy==0.0.1\npytest\n")
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, 'environment = "requirements.txt"')
    why = check(clinic.repo).rows[0].why
    assert why.startswith("numpy ") and why.endswith("serves 0.0.1")
    gate(clinic, 'environment = "nowhere.txt"')
    assert check(clinic.repo).state == "unknown"


def test_a_stage_nobody_wrote_about_asks_for_nothing(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    assert check(clinic.repo, against="dev").passed
    promote(clinic.repo, "dev")
    assert "gate" not in deployed(clinic.repo, "dev").evidence


def test_a_dry_run_says_what_would_be_refused(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, 'require = ["recall >= 0.9"]')
    result = promote(clinic.repo, "prod", dry_run=True)
    assert result.refused == ("recall >= 0.9: never measured",)
    assert list(clinic.repo.facts.of(REFUSAL)) == []


def test_a_rollback_asks_no_gate(clinic: Clinic) -> None:
    clinic.live("v1", "median", "R1", "first")
    clinic.live("v2", "-1", "R1", "second")
    gate(clinic, 'require = ["recall >= 0.9"]\nafter = "canary"')
    assert rollback(clinic.repo, "prod", reason="now").changed


@pytest.mark.parametrize(
    "text, says",
    [
        ('require = ["recall"]', "mlver.toml:1: stages.prod.require[1]: not a condition"),
        ("require = [3]", "stages.prod.require: expected a text or a list of texts"),
        ('requires = ["a > 1"]', "unknown entry 'requires'"),
        ("percents = [5, 1]", "they must rise"),
        ("percents = [0]", "whole numbers from 1 to 100"),
        ('lineage = "some"', 'must be "complete"'),
        ('after = "prod"', "prod comes before itself"),
        ("fresh = 1", "expected true or false"),
    ],
)
def test_a_gate_that_makes_no_sense_is_named_and_lets_nothing_through(clinic: Clinic, text: str, says: str) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    gate(clinic, text)
    for ask in (lambda: check(clinic.repo), lambda: promote(clinic.repo, "prod")):
        with pytest.raises(UsageError) as error:
            ask()
        assert says in error.value.message
    assert clinic.repo.refresh().stages == {}


@pytest.mark.parametrize(
    "a, b, same",
    [
        ("ana", "Ana <ana@clinic.example>", True),
        ("ana@clinic.example", "Ana <ana@clinic.example>", True),
        ("Ana Maria <ana@x>", "ana maria", True),
        ("ana", "anna", False),
        ("Ana <ana@x>", "Ana Lopez <lopez@x>", False),
        ("ben <info@x>", "eve <info@y>", False),
    ],
)
def test_persons_are_known_by_name_or_address(a: str, b: str, same: bool) -> None:
    assert same_person(a, b) is same and same_person(b, a) is same
