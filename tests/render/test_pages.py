"""The pages of the other verbs, at 80 columns, from results made by hand."""

from __future__ import annotations

from rich.console import RenderableType

from mlver.objects.commit import Used
from mlver.objects.ids import DerivationId, OperationId
from mlver.render import blame, house, log, ops, refs, run, stages
from mlver.render.commit import commit_page
from mlver.render.console import to_text
from mlver.repo.signing import Seal
from mlver.verbs.blame import BlamedUnit, BlameResult
from mlver.verbs.branch import RefInfo, RefMoved, RefsResult
from mlver.verbs.commit import CommitResult
from mlver.verbs.config import ConfigResult, Setting
from mlver.verbs.deployed import DeployedResult, LedgerResult
from mlver.verbs.fsck import FsckResult, Problem
from mlver.verbs.log import LogResult
from mlver.verbs.promote import MoveResult
from mlver.verbs.restore import RestoreResult
from mlver.verbs.run import RunResult
from mlver.verbs.switch import SwitchResult
from mlver.verbs.undo import OperationInfo, OpLogResult, UndoResult
from tests.render.made import BAD, NIGHT, V2, at, blob, change, info

ID, BAD_ID = V2.short, BAD.short


def page(renderable: RenderableType) -> str:
    return to_text(renderable, width=80)


def test_commit_tells_its_id_message_and_size() -> None:
    result = CommitResult(
        commit=V2,
        parents=(),
        branch="main",
        author="ana",
        time=at("04-01 09:00"),
        message="config: impute median -> -1\n\nrules: -R2",
        written=True,
        changes=(change("config/pipeline.json", "config", old_size=85, new_size=81),),
        files=9,
        bytes_read=81,
        bytes_stored=1500,
    )
    assert page(commit_page(result)) == (
        f"[main {ID}] config: impute median -> -1\n"
        "  rules: -R2\n"
        "  9 files (1 modified), 81 B read, 1.46 KiB stored\n"
        "\n"
        "  modified  config  config/pipeline.json  85 B → 81 B\n"
    )


def test_what_is_wrong_with_a_signature_comes_before_the_key_which_a_terminal_cuts() -> None:
    key, why = f"SHA256:{'k' * 43}", "signed by bob, in the name of ana"
    for seal, said in (
        (Seal("untrusted", "bob", key, why), f"untrusted: {why} (SHA256:"),
        (Seal("unchecked", None, key, "mlver verify checks it"), "not checked: mlver verify checks it (with SHA256:"),
        (Seal("broken", None, None, "not a signature"), "broken: not a signature\n"),
    ):
        commits = (info("v2"),)
        shown = page(log.log_page(LogResult(commits, signed={commits[0].id.hex(): seal})))
        assert f"signed: {said}" in shown and all(len(text) <= 80 for text in shown.splitlines())


def test_log_long_shows_refs_reasons_and_whole_messages() -> None:
    commits = (
        info("drop R2\n\n0 hits in week 2", "v2", refs=("HEAD", "main", "prod"), trailers={"why": ("it is safe",)}),
        info("v2", trailers={"ticket": ("TRI-31", "TRI-32")}),
    )
    assert page(log.log_page(LogResult(commits, more=True))) == (
        f"commit {commits[0].id.short} (HEAD, main, prod)\n"
        "author: Ana <ana@clinic.example>\n"
        "date:   2024-04-01 09:00Z\n"
        "\n"
        "    drop R2\n"
        "\n"
        "    0 hits in week 2\n"
        "\n"
        "    why: it is safe\n"
        "\n"
        f"commit {ID}\n"
        "author: Ana <ana@clinic.example>\n"
        "date:   2024-04-01 09:00Z\n"
        "\n"
        "    v2\n"
        "\n"
        "    ticket: TRI-31\n"
        "    ticket: TRI-32\n"
        "… more (-n for how many)\n"
    )


def test_log_oneline_is_one_line_each() -> None:
    result = LogResult((info("v3 " + "x" * 100, "v2", refs=("main",)), info("v2")))
    assert page(log.log_page(result, oneline=True)).splitlines() == [
        f"{result.commits[0].id.short} (main) v3 {'x' * 100}",
        f"{ID} v2",
    ]


def test_blame_of_a_stage_is_a_table_of_parts() -> None:
    def part(path: str, kind: str, author: str, why: str, ticket: str | None = None) -> BlamedUnit:
        tickets = (ticket,) if ticket else ()
        return BlamedUnit(path, None, kind, "changed", V2, author, at("04-20 12:00"), "m", why, tickets)

    result = BlameResult(
        target="prod",
        rev=V2,
        units=(
            part("config/pipeline.json", "config", "ben", "the new serving code can't compute medians"),
            part("data/train.csv", "data", "temp-07", "labels of week 2", "LAB-9"),
        ),
        live="live on prod since 2024-04-22 02:00Z, promoted by cron",
    )
    assert page(blame.blame_page(result)) == (
        "live on prod since 2024-04-22 02:00Z, promoted by cron\n"
        "\n"
        "part                  commit      who      when        why\n"
        f"config/pipeline.json  {ID}  ben      2024-04-20  the new serving code\n"
        "                                                       can't compute medians\n"
        f"data/train.csv        {ID}  temp-07  2024-04-20  labels of week 2 (LAB-9)\n"
    )


def unit(change: str, author: str, why: str, **words: object) -> BlamedUnit:
    given = {"old": None, "new": None, "text": None, "alert": ()} | words
    return BlamedUnit(
        "rules/rules.json",
        "R2",
        "rules",
        change,
        V2,
        author,
        at("04-21 20:40"),
        "m",
        why,
        (),
        **given,  # type: ignore[arg-type]
    )


def test_blame_of_a_unit_is_its_history() -> None:
    units = (
        unit("removed", "eve", "0 hits in week 2", old={"then": "refer"}, text=">= 3 missing -> refer"),
        unit("changed", "ana", "stricter", old={"at_least": 4}, new={"at_least": 3}),
        unit("added", "dana", "scanner drops values", new={}, text=">= 4 missing -> refer", alert=("A0020",)),
    )
    assert page(blame.blame_page(BlameResult("rules/rules.json#R2", V2, units))) == (
        "rules rules/rules.json#R2\n"
        "\n"
        f"removed  2024-04-21 20:40Z  eve  {ID}\n"
        "         0 hits in week 2\n"
        "         >= 3 missing -> refer\n"
        "\n"
        f"changed  2024-04-21 20:40Z  ana  {ID}\n"
        "         stricter\n"
        "         at_least 4 → 3\n"
        "\n"
        f"added    2024-04-21 20:40Z  dana  {ID}\n"
        "         scanner drops values (alert A0020)\n"
        "         >= 4 missing -> refer\n"
    )


def test_blame_of_many_rows_names_runs_unless_each_is_wanted() -> None:
    def row(number: int) -> BlamedUnit:
        commit = V2 if number < 30 else BAD
        return BlamedUnit("t.csv", f"P{number:02}", "data", "added", commit, "ana", at("04-01 09:00"), "m", "why")

    result = BlameResult("t.csv", BAD, tuple(map(row, range(60))))
    assert page(blame.blame_page(result)).splitlines()[1:] == [
        f"30 rows, P00 … P29  {ID}  ana  2024-04-01  why",
        f"30 rows, P30 … P59  {BAD_ID}  ana  2024-04-01  why",
    ]
    assert len(page(blame.blame_page(result, every=True)).splitlines()) == 61


def test_blame_of_a_shuffled_table_gathers_the_rows_of_each_commit() -> None:
    def row(number: int) -> BlamedUnit:
        commit = BAD if number in (3, 9) else V2
        return BlamedUnit("t.csv", f"P{number:02}", "data", "added", commit, "ana", at("04-01 09:00"), "m", "why")

    shuffled = [(number * 7) % 60 for number in range(60)]
    result = BlameResult("t.csv", BAD, tuple(map(row, shuffled)))
    assert page(blame.blame_page(result)).splitlines()[1:] == [
        f"58 rows, P00 … P59  {ID}  ana  2024-04-01  why",
        f"P03, P09            {BAD_ID}  ana  2024-04-01  why",
    ]


def test_a_long_message_is_cut_in_a_list_and_told_in_full_in_a_history() -> None:
    message = "first snapshot: " + ", ".join(f"{n} of something" for n in range(20))
    made = [
        BlamedUnit("c.json", name, "config", "added", V2, "ana", at("04-01 09:00"), message, message) for name in "ab"
    ]
    listed = page(blame.blame_page(BlameResult("c.json", V2, tuple(made))))
    assert "19 of something" not in listed and "…" in listed
    told = page(blame.blame_page(BlameResult("c.json#a", V2, tuple(made[:1]))))
    assert "19 of something" in " ".join(told.split())


def test_a_change_that_is_not_committed_is_said_to_be() -> None:
    fresh = BlamedUnit("c.json", "impute", "config", "changed", None, "not committed yet", None, "", "", old=1, new=2)
    assert page(blame.blame_page(BlameResult("c.json#impute", V2, (fresh,)))).splitlines()[2:] == [
        "changed  not committed yet",
        "         1 → 2",
    ]


def moved(**words: object) -> MoveResult:
    given = {
        "action": "rollback", "stage": "prod", "scope": "", "old": BAD, "new": V2, "old_subject": "nightly retrain",
        "new_subject": "v2", "changed": True, "since": at("04-22 03:09"), "actor": "eve", "reason": "A0088",
        "path": "/clinic/.mlver/releases/prod/all/current", "files": 6, "bytes": 9350, "bytes_written": 0,
        "seconds": 0.0642, "undo": "mlver promote prod x",
    } | words  # fmt: skip
    return MoveResult(**given)  # type: ignore[arg-type]


def test_a_rollback_says_what_was_and_is_live() -> None:
    assert page(stages.move_page(moved(mixed="rules of v1 with the rest of v2", unhealthy=("v3: marked bad",)))) == (
        "prod\n"
        f"  was     {BAD_ID}  nightly retrain\n"
        f"  is now  {ID}  v2\n"
        "\n"
        "passed over: v3: marked bad\n"
        "mixed: rules of v1 with the rest of v2\n"
        "6 files, 9.13 KiB, on disk already, in 64 ms\n"
        "served from /clinic/.mlver/releases/prod/all/current\n"
    )


def test_a_rollback_to_where_it_is_says_so() -> None:
    assert page(stages.move_page(moved(changed=False))) == f"prod has {ID} already: v2; nothing moved\n"


def test_a_dry_run_previews_and_moves_nothing() -> None:
    text = page(stages.move_page(moved(dry_run=True, diff=NIGHT, scope="clinic=C")))
    assert text.startswith(f"prod/clinic=C\n  was       {BAD_ID}  nightly retrain\n  would be  {ID}  v2\n")
    assert "6 files, 9.13 KiB, 0 B to write; nothing moved (dry run)\n" in text
    assert "modified   rules   rules/rules.json      -1 rule\n" in text
    assert "served from" not in text


def entry(**words: object) -> DeployedResult:
    given = {
        "stage": "prod", "scope": "", "commit": BAD, "subject": "nightly", "since": at("04-22 02:00"),
        "until": at("04-22 03:09"), "actor": "cron", "reason": "gate: 0.958 >= 0.95", "action": "promote",
        "path": "/clinic/.mlver/releases/x",
        "evidence": {"metrics": [{"name": "recall", "slice": "clinic=C", "value": 0.375}], "gates": []},
    } | words  # fmt: skip
    return DeployedResult(**given)  # type: ignore[arg-type]


def test_deployed_is_one_clear_answer() -> None:
    assert page(stages.deployed_page(entry())) == (
        f"prod  {BAD_ID}  nightly\n"
        "  2024-04-22 02:00Z – 03:09Z, promote by cron: gate: 0.958 >= 0.95\n"
        "  on the evidence of recall{clinic=C} 0.375\n"
        "  served from /clinic/.mlver/releases/x\n"
    )


def test_the_ledger_is_a_table() -> None:
    result = LedgerResult((entry(until=None, scope="clinic=C", reason="back"), entry()))
    assert page(stages.ledger_page(result)) == (
        "stage          commit      since              until   who   why\n"
        f"prod/clinic=C  {BAD_ID}  2024-04-22 02:00Z  live    cron  promote: back\n"
        f"prod           {BAD_ID}  2024-04-22 02:00Z  03:09Z  cron  promote: gate: 0.958\n"
        "                                                            >= 0.95\n"
    )


def test_the_ledger_says_what_a_gate_let_through() -> None:
    rows = [{"requirement": "recall >= 0.9", "state": "met"}, {"requirement": "was live on canary", "state": "broken"}]
    passed, skipped = {"gate": rows[:1]}, {"gate": rows, "override": "skip"}
    result = LedgerResult((entry(reason="v4", evidence=passed), entry(reason="nightly", evidence=skipped)))
    told = " ".join(page(stages.ledger_page(result)).split())
    assert "promote: v4; gate met (1)" in told
    assert "nightly; gate passed over (skip): was live on canary" in told


def test_operations_say_what_they_moved() -> None:
    first, second = OperationId.of(b"1"), OperationId.of(b"2")
    promoted = OperationInfo(first, 4, at("04-22 02:00"), "cron", "promote prod", "gate", ("prod: nothing -> x",), True)
    undone = OperationInfo(second, 5, at("04-22 02:05"), "ana", "undo", None, ())
    assert page(ops.op_log_page(OpLogResult((undone, promoted), more=True))) == (
        f"5  {second.short}  2024-04-22 02:05Z  ana   undo\n"
        f"4  {first.short}  2024-04-22 02:00Z  cron  promote prod  undone\n"
        "               gate\n"
        "               prod: nothing -> x\n"
        "… more (-n for how many)\n"
    )
    assert page(ops.undo_page(UndoResult(promoted, second, ("prod: x -> nothing",), ("push hub: it is there",)))) == (
        f"took back {first.short} promote prod (cron, 2024-04-22 02:00Z)\n"
        "  prod: x -> nothing\n"
        "  stays: push hub: it is there\n"
    )


def test_branches_tags_and_switching() -> None:
    refs_ = (
        RefInfo("exp", BAD, "try", "cleo", at("04-02 09:00")),
        RefInfo("main", V2, "v2", "ana", at("04-01 09:00"), True),
    )
    assert page(refs.refs_page(RefsResult("branch", refs_))) == (
        f"   exp   {BAD_ID}  2024-04-02  cleo  try\n*  main  {ID}  2024-04-01  ana   v2\n"
    )
    assert page(refs.ref_moved_page(RefMoved("tag", "v2", None, V2))) == f"new tag v2 at {ID}\n"
    assert page(refs.ref_moved_page(RefMoved("branch", "exp", BAD, None))) == f"deleted branch exp (was {BAD_ID})\n"
    assert page(refs.ref_moved_page(RefMoved("tag", "v2", BAD, V2))) == f"tag v2 moved {BAD_ID} → {ID}\n"
    assert page(refs.switch_page(SwitchResult(None, V2, False, ()))) == f"HEAD is detached at {ID}\n"


def test_restore_says_what_no_longer_fits() -> None:
    result = RestoreResult(
        V2, "/clinic", (change("rules/rules.json", "rules", new_size=444),), 444, ("config/p.json", "models/a.joblib")
    )
    assert page(refs.restore_page(result)) == (
        f"restored 1 file from {ID} into /clinic, 444 B written\n"
        "  modified  rules  rules/rules.json  444 B\n"
        "committed together with these, not restored: config/p.json, models/a.joblib\n"
    )


def test_a_run_names_inputs_and_outputs() -> None:
    id = DerivationId.of(b"run")
    data, model = Used("data/train.csv", blob("data"), "data"), Used("models/a.joblib", blob("model"), "model")
    result = RunResult(id, ("python", "train.py"), 0, 2.33, at("04-01 09:00"), (data,), (model,), True, False)
    assert page(run.run_page(result)) == (
        f"recorded as {id.short}, 2.33 s\n"
        "1 input, seen to be read\n"
        f"  data  data/train.csv  {data.id.short}\n"
        "1 output\n"
        f"  model  models/a.joblib  {model.id.short}\n"
    )
    failed = RunResult(None, ("false",), 3, 0.01, at("04-01 09:00"), (), (), False, False)
    assert page(run.run_page(failed)) == "ended with 3 after 10 ms; nothing was recorded\n"


def test_damage_names_what_it_hurts() -> None:
    problem = Problem("blob 9a", "missing", ("v2: models/a.joblib",))
    torn = Problem("head.1", "torn write", repairable=True)
    assert page(house.fsck_page(FsckResult(False, 46, 5, 12, 99_000, (problem, torn)))) == (
        "blob 9a: missing\n"
        "  hurts v2: models/a.joblib\n"
        "\n"
        "head.1: torn write\n"
        "  nothing is lost by it\n"
        "\n"
        "2 problems: 46 objects, 5 commits, 12 packs, 96.7 KiB read\n"
    )


def test_settings_say_where_they_come_from() -> None:
    settings = (Setting("author", None, "default", "who commits"), Setting("releases.keep", 3, "user", "how many"))
    assert page(house.config_page(ConfigResult(settings))) == (
        "author         –  default  who commits\nreleases.keep  3  user     how many\n"
    )


def test_evidence_names_what_holds_for_everybody_and_counts_the_rest() -> None:
    metrics = [{"name": "recall", "slice": f"clinic={c}", "value": 0.5} for c in "ABCDEFGHIJ"]
    metrics.append({"name": "recall", "value": 0.9})
    told = page(stages.deployed_page(entry(evidence={"metrics": metrics}, reason="")))
    assert "on the evidence of recall 0.900, … 10 more\n" in told
    assert "by cron\n" in told
    metrics = [{"name": "missed", "value": n, "dataset": f"data/{n}.csv"} for n in (4, 9)] + [{"name": "n", "value": 1}]
    gate = [{"requirement": "recall{clinic=*} >= 0.9", "state": "broken"}] * 2
    told = page(stages.deployed_page(entry(evidence={"metrics": metrics, "gate": gate})))
    text = " ".join(told.split())
    assert " evidence of missed 4 on data/4.csv, missed 9 on data/9.csv, n 1, gate passed over (override): " in text
    assert text.count("recall{clinic=*} >= 0.9") == 1
