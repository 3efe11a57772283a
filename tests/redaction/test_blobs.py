"""Whole files: their bytes are nowhere any more, and everything around them reads as before."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.errors import Damaged, NegativeAnswer, Redacted, Refused, UnknownRevision, UsageError
from mlver.objects.ids import BlobId, CommitId
from mlver.repo.generation import trash_key
from mlver.repo.repository import Repository
from mlver.store.pack import list_packs, pack_key
from mlver.verbs.branch import delete_ref, set_ref
from mlver.verbs.cat import cat
from mlver.verbs.commit import commit
from mlver.verbs.diff import diff
from mlver.verbs.gc import gc, restore_trash
from mlver.verbs.promote import promote
from mlver.verbs.query import query
from mlver.verbs.redact import finish_redactions, redact, redactions
from mlver.verbs.repair import repair
from mlver.verbs.restore import restore
from mlver.verbs.rollback import rollback
from mlver.verbs.show import show
from mlver.verbs.status import status
from mlver.verbs.switch import switch
from mlver.verbs.undo import undo
from tests.kit import Bench
from tests.redaction.world import everything, holds, noise, sound, text

SECRET = b"AKIA-very-secret-key-0001"
ENV = "config/prod.env"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Two versions of a secret, compressed and raw, small and large, beside a model."""
    made = Bench(tmp_path / "w")
    made.write(ENV, b"key=" + SECRET + b"\n" + text(1))
    made.write("models/m.bin", noise(1, 200_000))
    made.write("data/big.bin", noise(2, 100_000) + SECRET + noise(3, 150_000))
    made.commit("one")
    made.write(ENV, b"key=2" + SECRET + b"\n")
    made.commit("two")
    return made


def read(repo: Repository, target: str) -> bytes:
    pieces: list[bytes] = []
    cat(repo, target, pieces.append)
    return b"".join(pieces)


def test_no_file_below_the_repository_holds_the_bytes_any_more(bench: Bench) -> None:
    repo, dot = bench.repo, bench.root / ".mlver"
    promote(repo, "prod", "HEAD~1", reason="go")
    promote(repo, "prod", "HEAD", reason="on")
    set_ref(repo, "branch", "side", "main")
    switch(repo, "side")
    bench.write("config/more.env", SECRET + b" on a branch that is dropped\n")
    bench.commit("side")
    switch(repo, "main")
    delete_ref(repo, "branch", "side")
    repo.storage.age = lambda key: 1e6  # type: ignore[method-assign]
    repo.settings._layers = {"repository": {"gc.retention": "0"}}
    gc(repo, full=True)
    query(repo, "SELECT * FROM units_changed")
    (dot / "packs" / ".tmp-0123456789abcdef").write_bytes(SECRET)  # of a writer that was killed
    (dot / "quarantine").mkdir()
    (dot / "quarantine" / f"3-{'0' * 64}.pack").write_bytes(SECRET)
    (dot / "quarantine" / f"3-{'0' * 64}.json").write_bytes(b"{}\n")
    before = holds(dot, SECRET)
    assert {name.partition("/")[0] for name in before} >= {"packs", "trash", "quarantine"}
    result = redact(repo, [ENV, "data/big.bin"], "key leaked")
    assert holds(dot, SECRET) == []
    assert result.operation is not None and result.trash > 0 and result.quarantine == 1
    assert (dot / "quarantine" / f"3-{'0' * 64}.json").exists()
    assert sorted(blob.paths for blob in result.blobs) == [(ENV,), (ENV,), ("data/big.bin",)]
    for _ in range(2):
        assert sound(repo)
        restore_trash(repo)
        gc(repo, grace="0", full=True)
    with pytest.raises(NegativeAnswer, match="cannot be taken back"):
        undo(repo)
    assert holds(dot, SECRET) == []


def test_reading_says_who_when_and_why_and_history_goes_on(bench: Bench) -> None:
    repo = bench.repo
    first, last = repo.resolve("HEAD~1"), repo.resolve("HEAD")
    redact(repo, [ENV], "key leaked", live=True)
    with pytest.raises(Redacted, match=rf"{ENV} .* redacted by ana on 2024-04-01: key leaked") as caught:
        read(repo, f"{ENV}@HEAD")
    assert caught.value.exit_code == 3 and caught.value.code == "redacted"
    repo = bench.reopen()
    assert (repo.resolve("HEAD~1"), repo.resolve("HEAD")) == (first, last)
    (change,) = diff(repo, "HEAD~1", "HEAD").artifacts
    assert change.path == ENV and "redacted by ana" in repr(change)
    assert "redacted by ana" in repr(show(repo, "HEAD"))
    assert read(repo, "models/m.bin@HEAD~1") == noise(1, 200_000)
    assert sound(repo)


def test_what_is_asked_for_may_be_a_version_a_folder_a_glob_or_an_id(bench: Bench) -> None:
    repo = bench.repo
    blob = repo.snapshot(repo.resolve("HEAD"))[ENV].id
    assert [one.id for one in redact(repo, [f"{ENV}@HEAD"], "x", dry_run=True).blobs] == [blob]
    assert [one.id for one in redact(repo, [blob.hex()[:12]], "x", dry_run=True).blobs] == [blob]
    assert len(redact(repo, ["config"], "x", dry_run=True).blobs) == 2
    assert len(redact(repo, ["*/*.env"], "x", dry_run=True).blobs) == 2
    for wrong in ("config/none.env", "f" * 64, f"{ENV}@v9"):
        with pytest.raises(UnknownRevision):
            redact(repo, [wrong], "x")
    for words in (([], "x"), ([ENV], " ")):
        with pytest.raises(UsageError):
            redact(repo, *words)
    assert len(redactions(repo).redactions) == 0
    redact(repo, [f"{ENV}@HEAD"], "x")
    assert read(repo, f"{ENV}@HEAD~1").startswith(b"key=" + SECRET)
    with pytest.raises(NegativeAnswer, match="nothing to redact"):
        redact(repo, [f"{ENV}@HEAD"], "x")


def test_a_dry_run_says_the_same_and_changes_nothing(bench: Bench) -> None:
    repo, dot = bench.repo, bench.root / ".mlver"
    before = everything(repo)
    plan = redact(repo, [ENV], "key leaked", dry_run=True)
    assert everything(repo) == before and holds(dot, SECRET) and redactions(repo).redactions == ()
    done = redact(repo, [ENV], "key leaked")
    same = ("blobs", "commits", "affected", "served", "left", "replaced", "bytes", "sharing")
    assert [getattr(plan, name) for name in same] == [getattr(done, name) for name in same]
    assert plan.left == (ENV,) and len(plan.commits) == 2


def test_the_report_lists_models_stages_and_who_still_serves(bench: Bench) -> None:
    repo = bench.repo
    bench.write("data/t.csv", "id,x\n1,2\n")
    bench.write("models/m.bin", noise(9))
    bench.commit("trained")
    promote(repo, "prod", "HEAD", reason="go")
    plan = redact(repo, ["data/t.csv"], "withdrawn", dry_run=True)
    assert [(one.path, one.source) for one in plan.affected] == [("models/m.bin", "assumed")]
    assert [(one.stage, one.until) for one in plan.served] == [("prod", None)]
    with pytest.raises(Refused, match=r"prod serves models/m\.bin now"):
        redact(repo, ["models/m.bin"], "withdrawn")
    redact(repo, ["models/m.bin"], "withdrawn", live=True)
    served = bench.root / ".mlver/releases/prod/all/current"
    assert served.is_dir() and not (served / "models/m.bin").exists()
    assert sound(repo)


def test_a_stage_is_not_moved_to_what_is_gone_and_rollback_passes_it_over(bench: Bench) -> None:
    repo = bench.repo
    names: list[CommitId] = []
    for seed in (5, 6, 7):
        bench.write("models/m.bin", noise(seed))
        names.append(bench.commit(f"model {seed}"))
        promote(repo, "prod", "HEAD", reason="go")
    redact(repo, [f"models/m.bin@{names[1]}"], "licence")
    with pytest.raises(Redacted, match=r"models/m\.bin was redacted by ana") as caught:
        promote(repo, "prod", str(names[1]), reason="back")
    assert caught.value.hint == f"mlver rollback prod --to {names[0].short}"
    with pytest.raises(Redacted):
        rollback(repo, "prod", to=str(names[1]))
    moved = rollback(repo, "prod")
    assert moved.new == names[0] and "licence" in moved.unhealthy[0]


def test_the_same_bytes_do_not_come_back(bench: Bench) -> None:
    repo = bench.repo
    redact(repo, [ENV, "data/big.bin"], "key leaked")
    bench.write("new.txt", "new\n")
    with pytest.raises(Redacted, match=rf"({ENV}|data/big\.bin).* redacted by ana"):
        commit(repo, "again")
    (bench.root / ENV).unlink()
    with pytest.raises(Redacted, match=r"data/big\.bin.* redacted by ana"):
        commit(repo, "again")
    (bench.root / "data/big.bin").unlink()
    assert {change.path: change.change for change in status(repo).changes}[ENV] == "removed"
    assert bench.commit("without")
    assert holds(bench.root / ".mlver", SECRET) == [] and sound(repo)
    with repo.store.session() as session, pytest.raises(Redacted):
        session.put_bytes(b"key=2" + SECRET + b"\n")


def test_files_are_laid_out_but_for_what_is_gone(bench: Bench, tmp_path: Path) -> None:
    repo = bench.repo
    redact(repo, [ENV], "key leaked")
    result = restore(repo, rev="HEAD", to=tmp_path / "out")
    assert result.left_out == (ENV,) and not (tmp_path / "out" / ENV).exists()
    assert (tmp_path / "out/models/m.bin").read_bytes() == noise(1, 200_000)
    with pytest.raises(Redacted):
        restore(repo, [ENV], force=True)
    assert switch(repo, "HEAD~1", detach=True).left_out == (ENV,)
    assert not (bench.root / ENV).exists()
    assert switch(repo, "main").left_out == (ENV,)


def test_bytes_that_another_file_needs_stay_and_are_named(bench: Bench) -> None:
    repo = bench.repo
    bench.write("data/copy.bin", (bench.root / "data/big.bin").read_bytes() + b"one more")
    bench.commit("a copy")
    result = redact(repo, ["data/big.bin"], "licence")
    assert [one.path for one in result.sharing] == ["data/copy.bin"] and result.sharing[0].bytes > 100_000
    assert read(repo, "data/copy.bin@HEAD").endswith(b"one more") and sound(repo)
    assert redact(repo, ["data/copy.bin"], "licence").sharing == ()
    assert holds(bench.root / ".mlver", noise(2, 100_000)[:64]) == []


def test_an_earlier_state_is_taken_back_without_what_is_gone(bench: Bench) -> None:
    repo = bench.repo
    before = repo.state.operation.number
    bench.write("more.txt", "more\n")
    bench.commit("three")
    redact(repo, [ENV], "key leaked")
    undo(repo, str(before + 1))
    assert repo.view.head == repo.resolve("HEAD") and len(redactions(repo).redactions) == 2
    with pytest.raises(Redacted):
        read(bench.reopen(), f"{ENV}@HEAD")
    assert sound(bench.repo)


def test_caches_may_be_lost(bench: Bench) -> None:
    redact(bench.repo, [ENV], "key leaked")
    bench.repo.close()
    for path in (bench.root / ".mlver/cache").iterdir():
        path.unlink()
    repo = bench.reopen()
    with pytest.raises(Redacted):
        read(repo, f"{ENV}@HEAD")
    assert sound(repo) and repair(repo).ok and sound(repo)


def test_another_process_that_was_open_is_told_too(bench: Bench) -> None:
    other = Repository.open(bench.root, actor="ben")
    redact(bench.repo, [ENV], "key leaked")
    with pytest.raises(Redacted):
        read(other, f"{ENV}@HEAD")


@settings(max_examples=5)
@given(
    files=st.dictionaries(
        st.sampled_from(["a", "b/c", "b/d", "e"]), st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=2
    ),
    which=st.integers(0, 3),
)
def test_all_other_objects_read_byte_for_byte(
    files: dict[str, list[int]], which: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bench = Bench(tmp_path_factory.mktemp("any") / "w")
    for turn in range(max(map(len, files.values()))):
        for path, seeds in files.items():
            bench.write(path, b"".join(noise(seed, 24_000) for seed in (*seeds[: turn + 1], turn)))
        if status(bench.repo).changes:
            bench.commit(f"turn {turn}")
    repo = bench.repo
    chosen = sorted(files)[which % len(files)]
    named: dict[BlobId, bytes] = {}
    gone: set[BlobId] = set()
    commits = [repo.resolve("HEAD")]
    while parents := repo.commit(commits[-1]).parents:
        commits += parents
    for id in commits:
        for path, artifact in repo.snapshot(id).artifacts.items():
            named[artifact.id] = repo.store.get(artifact.id)
            if path == chosen:
                gone.add(artifact.id)
    others = {key: data for key, data in everything(repo).items() if key[0] > 2}
    redact(repo, [chosen], "any")
    repo = bench.reopen()
    for blob, data in named.items():
        if blob in gone:
            with pytest.raises(Redacted):
                repo.store.get(blob)
        else:
            assert repo.store.get(blob) == data
    assert others.items() <= everything(repo).items()
    assert sound(repo) and finish_redactions(repo).blobs == 0


def test_questions_about_history_pass_over_what_is_gone(bench: Bench) -> None:
    repo = bench.repo
    bench.write("metrics.json", {"recall": 0.875})
    bench.write("rules/rules.json", [{"id": "R1", "then": "refer", "why": "secret-reason"}])
    bench.commit("four")
    bench.write("metrics.json", {"recall": 0.9})
    bench.write("rules/rules.json", [{"id": "R1", "then": "refer"}])
    bench.commit("five")
    assert query(repo, "SELECT count(*) AS n FROM texts WHERE text LIKE '%secret-reason%'").rows[0]["n"] == 1
    redact(repo, ["metrics.json@HEAD~1", "rules/rules.json@HEAD~1"], "wrong")
    assert holds(bench.root / ".mlver", b"secret-reason") == []
    assert query(repo, "SELECT count(*) AS n FROM commits").rows[0]["n"] == 4
    assert query(repo, "SELECT count(*) AS n FROM texts WHERE text LIKE '%secret-reason%'").rows[0]["n"] == 0
    assert query(repo, "SELECT * FROM units_changed").rows
    assert holds(bench.root / ".mlver", b"secret-reason") == []


def test_it_stops_where_something_needed_lies_in_the_trash_alone(bench: Bench) -> None:
    repo = bench.repo
    first = next(name for name in list_packs(repo.storage) if bytes(repo.resolve("HEAD~1")) in raw(repo, name))
    repo.storage.move(pack_key(first), trash_key(1, first))
    repo = bench.reopen()
    with pytest.raises(Damaged, match="lies only in the trash"):
        redact(repo, [f"{ENV}@HEAD"], "x")
    restore_trash(repo)
    redact(repo, [f"{ENV}@HEAD"], "x")
    assert read(repo, "models/m.bin@HEAD~1") == noise(1, 200_000) and sound(repo)


def raw(repo: Repository, name: str) -> bytes:
    return repo.storage.read(pack_key(name))
