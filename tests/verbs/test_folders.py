"""A folder of many files as one artifact: tables in parts, images and texts by file."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from mlver.errors import MlverError, UsageError
from mlver.repo.snapshot import Snapshot
from mlver.verbs.blame import blame
from mlver.verbs.cat import cat, cat_units
from mlver.verbs.diff import ArtifactDiff, diff
from mlver.verbs.show import ShowUnitResult, show
from tests.kit import Bench

DECLARED = '[[artifact]]\npath = "data/events/"\nkind = "data"\nkey = ["id"]\npartitioned = true\n'
FRAME = load_breast_cancer(as_frame=True).frame.iloc[:, :4].round(3)
FRAME.insert(0, "id", [f"P{number:04}" for number in range(len(FRAME))])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "r")


def parquet(frame: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink)
    return sink.getvalue()


def lay_out(bench: Bench, frame: Any = FRAME, size: int = 100, folder: str = "data/events") -> None:
    for begin in range(0, len(frame), size):
        bench.write(f"{folder}/part-{begin // size}.parquet", parquet(frame.iloc[begin : begin + size]))


def changes(bench: Bench, *words: str, **options: Any) -> dict[str, ArtifactDiff]:
    return {artifact.path: artifact for artifact in diff(bench.reopen(), *words, **options).artifacts}


def test_a_declared_folder_is_one_table(bench: Bench) -> None:
    bench.write("mlver.toml", DECLARED)
    lay_out(bench)
    bench.commit("one")
    edited = FRAME.copy()
    edited.loc[7, "mean area"] = -1.0
    bench.write("data/events/part-0.parquet", parquet(edited.iloc[:100]))
    bench.write("data/events/more.parquet", parquet(FRAME.iloc[:2].assign(id=["Q1", "Q2"])))
    artifact = changes(bench)["data/events/"]
    assert (artifact.units.added, artifact.units.removed, artifact.units.changed) == (2, 0, 1)
    assert artifact.counts["cells_changed.mean area"] == 1
    assert artifact.counts["parts_same"] == 5 and artifact.counts["parts_new"] == 7
    assert artifact.summary.endswith("5 of 7 parts untouched") and artifact.kind == "data"
    assert [change.unit for change in artifact.changes] == ["P0007", "Q1", "Q2"]


def test_drift_says_that_it_is_of_the_parts_that_differ(bench: Bench) -> None:
    bench.write("mlver.toml", DECLARED)
    lay_out(bench)
    bench.commit("one")
    edited = FRAME.copy()
    edited.loc[:99, "mean area"] += 5000.0
    bench.write("data/events/part-0.parquet", parquet(edited.iloc[:100]))
    titles = [detail.title for detail in changes(bench)["data/events/"].details]
    assert titles[-1] == "drift, in the parts that differ"
    lay_out(bench, edited.assign(**{"mean area": edited["mean area"] + 1.0}))
    assert changes(bench)["data/events/"].details[-1].title == "drift"


def test_rows_that_move_between_files_are_no_change(bench: Bench) -> None:
    bench.write("mlver.toml", DECLARED)
    lay_out(bench, size=100)
    bench.commit("one")
    for number in range(6):
        (bench.root / f"data/events/part-{number}.parquet").unlink()
    lay_out(bench, FRAME.sample(frac=1, random_state=1), size=64)
    artifact = changes(bench)["data/events/"]
    assert artifact.change == "rewritten" and artifact.summary == "same rows and columns, in other files"


def test_only_the_parts_that_changed_are_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("mlver.toml", DECLARED)
    lay_out(bench, size=20)
    first = bench.commit("one")
    bench.write("data/events/part-3.parquet", parquet(FRAME.iloc[60:79]))
    second = bench.commit("two")
    opened: list[str] = []
    source = Snapshot.source
    monkeypatch.setattr(Snapshot, "source", lambda self, path: _counting(source(self, path), opened))
    artifact = changes(bench, str(first), str(second))["data/events/"]
    assert artifact.units.removed == 1
    read = [path for path in opened if path.endswith(".parquet")]
    assert len(set(read)) == 2  # the changed one, and one more for its columns


def _counting(source: Any, opened: list[str]) -> Any:
    inner = source.opener
    object.__setattr__(source, "opener", lambda: (opened.append(source.path), inner())[1])
    return source


def test_folders_that_spark_and_polars_write_need_no_declaration(bench: Bench) -> None:
    frame = pl.DataFrame({"id": [1, 2, 3, 4], "year": [2023, 2023, 2024, 2024], "city": ["Ulm", None, "Ulm", "São"]})
    frame.write_parquet(bench.root / "data" / "visits", partition_by=["year", "city"], mkdir=True)
    bench.write("data/visits/_SUCCESS", "")
    bench.commit("one")
    head = cat_units(bench.repo, "data/visits", limit=10)
    assert head.path == "data/visits/" and head.rows is not None
    assert sorted(tuple(row.values()) for row in head.rows if row["city"]) == [
        (1, 2023, "Ulm"), (3, 2024, "Ulm"), (4, 2024, "São"),
    ]  # fmt: skip
    assert [row["year"] for row in head.rows if row["city"] is None] == [2023]
    for path in list((bench.root / "data/visits").rglob("*.parquet")):
        if "2024" in str(path) and "Ulm" in str(path):
            path.rename(path.with_name("renamed.parquet"))
        elif "2024" in str(path):
            (bench.root / "data/visits/year=2025").mkdir()
            path.parent.rename(bench.root / "data/visits/year=2025" / path.parent.name)
    artifact = changes(bench)["data/visits/"]
    assert (artifact.units.added, artifact.units.removed) == (1, 1)
    assert artifact.counts["parts_same"] == 3
    by_key = changes(bench, key=["id"])["data/visits/"]
    assert [(c.unit, c.old, c.new) for c in by_key.changes] == [("4", {"year": 2024}, {"year": 2025})]


def test_a_folder_of_csv_files_that_disagree_about_a_type(bench: Bench) -> None:
    bench.write("mlver.toml", DECLARED)
    bench.write("data/events/a.csv", "id,x,y\n1,5,1\n2,6,2\n")
    bench.write("data/events/b.csv", "id,x\n3,n.a.\n")
    bench.commit("one")
    bench.write("data/events/b.csv", "id,x\n3,7\n")
    bench.write("data/events/c.csv.gz", gzip.compress(b"id,x\n4,8\n"))
    artifact = changes(bench)["data/events/"]
    assert (artifact.units.added, artifact.units.changed) == (1, 2)  # row 4; row 3 and the type of x
    assert show(bench.repo, "data/events/#1").value == {"id": 1, "x": "5", "y": 1}  # as HEAD has it: text beside n.a.


def test_blame_follows_a_row_from_file_to_file(bench: Bench) -> None:
    bench.write("mlver.toml", DECLARED)
    lay_out(bench)
    first = bench.commit("one")
    edited = FRAME.copy()
    edited.loc[7, "mean area"] = -1.0
    bench.write("data/events/part-0.parquet", parquet(edited.iloc[:100]))
    second = bench.commit("fix P0007", by="ben")
    for number in range(6):
        (bench.root / f"data/events/part-{number}.parquet").unlink()
    lay_out(bench, edited.iloc[::-1], size=300)
    bench.commit("compact")
    history = blame(bench.repo, "data/events/#P0007").units
    assert [(entry.commit, entry.change) for entry in history] == [(second, "changed"), (first, "added")]
    assert history[0].new == {"mean area": -1.0}
    assert {entry.commit for entry in blame(bench.repo, "data/events").units} == {first, second}
    unit = show(bench.repo, "HEAD:data/events#P0007")
    assert isinstance(unit, ShowUnitResult) and unit.value["mean area"] == -1.0


def test_show_and_cat_take_the_folder(bench: Bench) -> None:
    bench.write("mlver.toml", DECLARED)
    lay_out(bench)
    bench.commit("one")
    shown = show(bench.repo, "data/events/")
    assert isinstance(shown, ShowUnitResult)
    assert shown.kind == "data" and (shown.value["rows"], shown.value["parts"]) == (569, 6)
    assert cat_units(bench.repo, "data/events@HEAD", limit=2).rows[1]["id"] == "P0001"
    with pytest.raises(UsageError, match="is a folder"):
        cat(bench.repo, "data/events", lambda data: None)


def test_a_key_that_comes_twice_is_said(bench: Bench) -> None:
    bench.write("mlver.toml", DECLARED)
    bench.write("data/events/a.csv", "id,x\n1,5\n")
    bench.write("data/events/b.csv", "id,x\n1,6\n")
    bench.commit("one")
    with pytest.raises(MlverError, match="duplicate key id=1"):
        cat_units(bench.repo, "data/events/#1")
    bench.write("data/events/b.csv", "not a table\n1,2,3,4\n")
    assert "b.csv" in (changes(bench)["data/events/"].unreadable or "")


@pytest.mark.parametrize("path", ["data/*/", "."])
def test_what_cannot_be_one_table_is_refused(bench: Bench, path: str) -> None:
    bench.write("mlver.toml", DECLARED.replace("data/events/", path) if path != "." else "")
    bench.write("data/events/a.csv", "id,x\n1,5\n")
    if path == ".":
        bench.write("mlver.toml", DECLARED.replace("true", '"yes"'))
    with pytest.raises(UsageError, match="partitioned"):
        diff(bench.repo)


def test_partitioned_false_keeps_files_apart(bench: Bench) -> None:
    bench.write("mlver.toml", '[[artifact]]\npath = "data/v/"\npartitioned = false\n')
    bench.write("data/v/y=1/a.csv", "id,x\n1,5\n")
    bench.commit("one")
    bench.write("data/v/y=1/a.csv", "id,x\n1,6\n")
    assert list(changes(bench)) == ["data/v/y=1/a.csv"]


def test_one_part_can_still_be_asked_for(bench: Bench) -> None:
    bench.write("mlver.toml", DECLARED)
    lay_out(bench)
    bench.commit("one")
    bench.write("data/events/part-0.parquet", parquet(FRAME.iloc[:99]))
    bench.write("data/events/part-1.parquet", parquet(FRAME.iloc[100:199]))
    assert list(changes(bench, targets=["data/events/part-0.parquet"])) == ["data/events/part-0.parquet"]
    assert list(changes(bench, targets=["data"])) == ["data/events/"]
    assert list(changes(bench, targets=["data/events/#P0099"])) == ["data/events/"]
    assert not changes(bench, targets=["data/events/#P0001"])
    assert sorted(changes(bench, units=False)) == ["data/events/part-0.parquet", "data/events/part-1.parquet"]


def images(bench: Bench, numbers: range, folder: str = "data/images", salt: bytes = b"") -> None:
    digits = load_digits()
    for number in numbers:
        name = f"{folder}/{digits.target[number]}/{number:04}.png"
        bench.write(name, b"\x89PNG\r\n\x1a\n" + digits.images[number].astype("u1").tobytes() + salt)


def test_a_folder_of_images_is_one_line(bench: Bench) -> None:
    images(bench, range(200))
    bench.write("data/audio/one.wav", b"RIFF1")
    bench.commit("one")
    images(bench, range(200, 320))
    images(bench, range(1), salt=b"!")
    for number in (5, 6, 7):
        next((bench.root / "data/images").rglob(f"{number:04}.png")).unlink()
    bench.write("data/audio/one.wav", b"RIFF2")
    found = changes(bench)
    assert sorted(found) == ["data/audio/one.wav", "data/images/"]
    folder = found["data/images/"]
    assert folder.summary == "+120 -3 ~1 files" and folder.kind == "file"
    assert (folder.units.added, folder.units.removed, folder.units.changed) == (120, 3, 1)
    assert len(folder.changes) == 124 and not folder.truncated
    assert changes(bench, limit=10)["data/images/"].truncated
    assert list(changes(bench, targets=["data/images/5/0005.png"])) == ["data/images/5/0005.png"]


def test_texts_among_data_too_but_never_source_code(bench: Bench) -> None:
    for number in range(30):
        bench.write(f"data/reviews/pos/{number}.txt", f"good {number}")
        bench.write(f"src/pkg/m{number}.py", f"x = {number}\n")
    bench.commit("one")
    for number in range(30):
        bench.write(f"data/reviews/pos/{number}.txt", f"very good {number}")
        bench.write(f"src/pkg/m{number}.py", f"x = {number + 1}\n")
    found = changes(bench)
    assert len(found) == 31 and found["data/reviews/pos/"].summary == "~30 files"


def test_a_folder_of_images_moves(bench: Bench) -> None:
    images(bench, range(40))
    bench.commit("one")
    (bench.root / "data/images").rename(bench.root / "data/pictures")
    folder = changes(bench)["data/pictures/"]
    assert folder.summary == "→40 files"


def test_a_folder_by_file_can_be_shown_and_blamed(bench: Bench) -> None:
    images(bench, range(30))
    first = bench.commit("one")
    images(bench, range(1), salt=b"!")
    second = bench.commit("two")
    shown = show(bench.repo, "data/images")
    assert isinstance(shown, ShowUnitResult) and shown.value["files"] == 30 and shown.kind == "file"
    made = {entry.unit: entry.commit for entry in blame(bench.repo, "data/images/").units}
    assert made["0/0000.png"] == second and made["1/0001.png"] == first
    assert [e.commit for e in blame(bench.repo, "data/images/#0/0000.png").units] == [second, first]


def test_diff_show_and_blame_agree_on_what_is_a_part(bench: Bench) -> None:
    bench.write("data/v/y=1/a.csv", "id,x\n1,5\n")
    bench.write("data/v/loose.csv", "id,x\n2,6\n")
    bench.write("data/v/_notes.csv", "id,x\n3,7\n")
    bench.write("data/v/y=1/README.md", "about")
    first = bench.commit("one")
    found = {row["id"] for row in cat_units(bench.repo, "data/v", limit=9).rows or ()}
    assert found == {1}
    assert [e.unit for e in blame(bench.repo, "data/v").units if not str(e.unit).startswith("columns.")] == [
        change.unit for change in diff_of_first(bench, first) if not change.unit.startswith("columns.")
    ]


def diff_of_first(bench: Bench, first: Any) -> Any:
    nothing = Snapshot({}, lambda artifact: bench.repo.store.open_blob(artifact.id))
    from mlver.verbs.diff import diff_snapshots

    found = {a.path: a for a in diff_snapshots(bench.repo, nothing, bench.repo.snapshot(first))}
    assert sorted(found) == ["data/v/", "data/v/_notes.csv", "data/v/loose.csv", "data/v/y=1/README.md"]
    return found["data/v/"].changes


@pytest.mark.parametrize("name", ["a=b=c", "a=%zz", "a=%2F..%2F", "1=2", "=x", "a=", "a=" + "x" * 200, "ä=ü"])
def test_odd_names_of_folders_are_names(bench: Bench, name: str) -> None:
    bench.write(f"data/v/{name}/t.csv", "id,x\n1,5\n")
    bench.commit("one")
    bench.write(f"data/v/{name}/t.csv", "id,x\n1,6\n")
    (artifact,) = diff(bench.repo).artifacts
    assert artifact.path in ("data/v/", f"data/v/{name}/t.csv") and not artifact.unreadable
