"""Evidence: the same bytes each time, true in every byte, checked by plain Python alone."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.errors import Damaged, OutcomeUnknown, Refused, UnknownRevision, UsageError
from mlver.testing import faulty_calls
from mlver.verbs.alerts import add_alert
from mlver.verbs.clone import clone
from mlver.verbs.evidence import verify_evidence, write_evidence
from mlver.verbs.evidence_blake3 import blake3_hex
from mlver.verbs.evidence_members import member_header
from mlver.verbs.evidence_result import EvidenceResult
from mlver.verbs.evidence_script import verify_script
from mlver.verbs.note import add_note
from tests.verbs.test_slo import Night, at

NIGHT = at("2024-04-22T02:30")


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = Night(tmp_path / "w")
    add_alert(night.repo, "flag_rate_drop", id="A0088", at=at("2024-04-22T03:05"), severity="page", stage="prod")
    return night


def written(night: Night, name: str = "e.tar", rev: str = "prod", **words: object) -> tuple[Path, EvidenceResult]:
    target = night.root.parent / name
    words = {"at": NIGHT, "with_files": True} | words
    return target, write_evidence(night.repo, rev, target, **words)  # type: ignore[arg-type]


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path, "r:") as archive:
        found = {info.name.partition("/")[2]: archive.extractfile(info) for info in archive}
        return {name: stream.read() for name, stream in found.items() if stream}


def test_it_tells_what_was_live_then_who_let_it_and_what_they_saw(night: Night) -> None:
    night.labels_arrive()
    path, result = written(night)
    assert result.commit == night.bad
    (tenure,) = result.served
    assert (tenure.stage, tenure.began.at, tenure.ended) == ("prod", night.since, None)
    inside = members(path)
    record = json.loads(inside["record.json"])
    assert record["parents"] == [str(night.v2)]
    assert record["at"] == "2024-04-22T02:30:00Z"
    live = record["served"][0]["live"]
    assert live["actor"] == "ana"
    assert [(row["name"], row["slice"], row["value"]) for row in live["evidence"]["metrics"]] == [
        ("recall", "clinic=C", 0.95)
    ]
    facts = [json.loads(line) for line in inside["facts.jsonl"].splitlines()]
    assert [fact["body"]["value"] for fact in facts] == [0.95]  # neither labels nor the alert were known then
    assert inside["files/config/pipeline.json"] == (night.root / "config/pipeline.json").read_bytes()


def test_what_became_known_later_is_in_later_evidence(night: Night) -> None:
    add_note(night.repo, str(night.bad), "misses cancers", mark="bad")
    night.labels_arrive()
    path, result = written(night, rev=str(night.bad), at=at("2024-05-07T00:00"))
    facts = [json.loads(line) for line in members(path)["facts.jsonl"].splitlines()]
    assert sorted(fact["type"] for fact in facts) == ["alert", "mark", "metric", "metric"]
    (tenure,) = result.served
    assert tenure.ended is not None and tenure.ended.at == night.until
    assert tenure.ended.live is not None and tenure.ended.live.commit == night.v2
    assert verify_evidence(path).sound


def test_the_moment_may_stand_in_the_revision(night: Night) -> None:
    path, result = written(night, "a.tar", "prod@{2024-04-22T02:30Z}", at=None)
    assert (result.commit, result.at) == (night.bad, NIGHT)
    night.clock.moment = at("2024-04-22T03:30")
    assert written(night, "b.tar", "prod", at=night.clock.moment)[1].commit == night.v2
    assert verify_evidence(path).at == "2024-04-22T02:30:00Z"


def test_the_same_question_gives_the_same_bytes_whenever_it_is_asked(night: Night) -> None:
    first, _ = written(night, "a.tar")
    night.labels_arrive()
    add_note(night.repo, str(night.bad), "later")
    night.reopen()
    second, _ = written(night, "b.tar")
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first, "r:") as archive:
        infos = archive.getmembers()
    assert [info.name for info in infos] == sorted(info.name for info in infos)
    assert {(i.mtime, i.uid, i.gid, i.uname, i.gname, i.mode) for i in infos} == {(0, 0, 0, "", "", 0o644)}


def test_another_file_in_the_way_stays(night: Night) -> None:
    path, _ = written(night)
    assert written(night)[1].new is False
    path.write_bytes(b"mine")
    with pytest.raises(Refused, match="there already"):
        written(night)
    assert path.read_bytes() == b"mine"
    assert sorted(p.name for p in path.parent.iterdir()) == ["e.tar", "w"]


def test_a_commit_made_later_and_a_stage_that_was_nothing_yet_are_told(night: Night) -> None:
    with pytest.raises(UsageError, match="after the moment"):
        written(night, rev=str(night.bad), at=at("2024-04-10T00:00"))
    with pytest.raises(UnknownRevision, match="prod named nothing at"):
        written(night, at=at("2024-04-01T15:00"))


def test_nobody_can_show_what_will_be_known(night: Night) -> None:
    late = max(night.repo.now(), night.repo.state.operation.time)
    assert written(night, "now.tar", at=late)[1].at == late
    for words in ({"at": late + timedelta(hours=1)}, {"rev": "prod@{2999-01-01}", "at": None}):
        with pytest.raises(UsageError, match="has not come yet"):
            written(night, "later.tar", **words)  # type: ignore[arg-type]
    assert not (night.root.parent / "later.tar").exists()


def test_without_files_it_says_what_was_not_checked(night: Night) -> None:
    path, _ = written(night, with_files=False)
    result = verify_evidence(path)
    assert result.sound
    assert [text.split(":")[0] for text in result.unchecked] == ["the bytes of the files"]
    assert not any(name.startswith("files/") for name in members(path))


def test_a_flip_anywhere_is_found_and_named(night: Night) -> None:
    path, _ = written(night)
    whole = path.read_bytes()
    with tarfile.open(path, "r:") as archive:
        infos = archive.getmembers()
    named = {info.name.partition("/")[2]: info for info in infos}
    for name, info in named.items():
        for place in {0, info.size // 2, info.size - 1} - {-1}:
            result = verify_evidence(flipped(path, whole, info.offset_data + place))
            assert not result.sound
            assert any(name in (one.name, *one.text.split()) for one in result.wrong), name
    for info in infos[1:]:
        # in a header, and in the filling behind it
        for place in (info.offset + 5, info.offset + 110, info.offset + 500, info.offset_data + info.size):
            assert not verify_evidence(flipped(path, whole, place)).sound, (info.name, place)
    assert not verify_evidence(flipped(path, whole, len(whole) - 1)).sound
    assert not verify_evidence(put(path, whole[:-512])).sound
    with pytest.raises(Damaged, match="unexpected end of data"):
        verify_evidence(put(path, whole[: len(whole) // 2]))
    assert not verify_evidence(put(path, whole + b"\0")).sound
    assert verify_evidence(put(path, whole)).sound


def flipped(path: Path, whole: bytes, place: int) -> Path:
    return put(path, whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def repacked(path: Path, inside: dict[str, bytes], *, sums: bool = True) -> Path:
    """Write an archive that is well-formed, its SHA256SUMS made anew, as a careful forger would."""
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in inside.items() if name != "SHA256SUMS"]
    if sums:
        inside = inside | {"SHA256SUMS": "".join(sorted(lines, key=lambda line: line[66:])).encode()}
    data = b""
    for name in sorted(inside):
        piece = inside[name]
        data += member_header(f"e/{name}", len(piece)) + piece + bytes(-len(piece) % 512)
    data += bytes(1024)
    return put(path, data + bytes(-len(data) % 10240))


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("files/config/pipeline.json", b"-1", b"-2", "not those the commit holds"),
        ("facts.jsonl", b"0.95", b"0.99", "line 1 does not give its id"),
        ("record.json", b'"actor":"ana"', b'"actor":"ben"', "no operation says"),
        ("record.json", b'"reason":""', b'"reason":"x"', "no operation says"),
        ("record.json", b"2024-04-22T02:30", b"2024-04-22T01:30", "later than"),
        ("manifest.json", b"pipeline", b"pipelime", "not what the commit holds"),
        ("manifest.json", b'"kind":"config"', b'"kind":"file"', "not what the commit holds"),
    ],
)
def test_a_forger_who_makes_the_sums_anew_is_found(night: Night, name: str, old: bytes, new: bytes, says: str) -> None:
    path, _ = written(night)
    inside = members(path)
    if old == b'"reason":""' and old not in inside[name]:
        old, new = b'"action":"promote"', b'"action":"rollback"'
    assert old in inside[name]
    inside[name] = inside[name].replace(old, new)
    result = verify_evidence(repacked(path, inside))
    assert not result.sound
    assert any(says in one.text for one in result.wrong), result.wrong


def test_an_object_that_was_changed_or_added_or_left_out_is_named(night: Night) -> None:
    path, _ = written(night)
    inside = members(path)
    commit = f"objects/commit/{night.bad}.json"
    changed = inside | {commit: inside[commit].replace(b"nightly", b"nightlz")}
    assert commit in {one.name for one in verify_evidence(repacked(path, changed)).wrong}
    added = inside | {"files/extra.csv": b"x"}
    assert ("files/extra.csv", "no part of this evidence") in {
        (one.name, one.text) for one in verify_evidence(repacked(path, added)).wrong
    }
    gone = {name: data for name, data in inside.items() if not name.startswith("objects/operation/")}
    assert not verify_evidence(repacked(path, gone)).sound


@pytest.mark.parametrize("name", ["record.json", "manifest.json", "facts.jsonl", "SHA256SUMS"])
@pytest.mark.parametrize("data", [b"", b"{}", b"[[]]", b"null", b"\xff", b"[" * 5000, b'{"schema":1}', b"9" * 5000])
def test_nonsense_in_a_member_is_an_answer_and_no_crash(night: Night, name: str, data: bytes) -> None:
    path, _ = written(night, with_files=False)
    inside = members(path) | {name: data}
    result = verify_evidence(repacked(path, inside, sums=name != "SHA256SUMS"))
    assert result.sound is False
    assert result.wrong


def test_members_that_would_reach_outside_are_refused_and_nothing_is_unpacked(night: Night) -> None:
    path, _ = written(night)
    for name, type_ in (("e/../../x", b"0"), ("/etc/x", b"0"), ("e/link", b"2"), ("e/dev", b"3"), ("e/hard", b"1")):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = type_, "../../x"
            archive.addfile(info)
        result = verify_evidence(put(path, stream.getvalue()))
        assert name in {one.name for one in result.wrong}
    assert sorted(p.name for p in path.parent.iterdir()) == ["e.tar", "w"]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_are_told_from_evidence(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = put(Path(folder) / "x.tar", data)
        try:
            assert not verify_evidence(path).sound
        except Damaged as error:
            assert "not evidence" in error.message


def test_a_folder_that_holds_itself_many_times_does_not_take_for_ever(night: Night, tmp_path: Path) -> None:
    path, _ = written(night, with_files=False)
    inside = {name: data for name, data in members(path).items() if not name.startswith("objects/")}
    tree = ""
    for _ in range(60):
        rows = [[name, "tree", "", tree, 0] for name in ("a", "b")] if tree else []
        data = json.dumps({"entries": rows}, separators=(",", ":")).encode()
        tree = blake3(data, derive_key_context="mlver 1 tree").hexdigest()
        inside[f"objects/tree/{tree}.json"] = data
    commit = json.dumps({"tree": tree}).encode()
    id = blake3(commit, derive_key_context="mlver 1 commit").hexdigest()
    inside[f"objects/commit/{id}.json"] = commit
    record = json.loads(inside["record.json"]) | {"commit": id, "tree": tree}
    inside["record.json"] = json.dumps(record).encode()
    result = verify_evidence(repacked(path, inside))
    assert any("too many" in one.text for one in result.wrong)


def run_script(script: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-I", "-S", str(script), *words], capture_output=True, text=True, cwd="/")


def test_a_file_that_stands_and_may_not_last_is_not_called_a_failure(night: Night) -> None:
    written(night, "whole.tar")
    with faulty_calls(only=("fsync",)) as rig:
        written(night, "counted.tar")
    with faulty_calls(len(rig.log), errno.EIO, only=("fsync",)) as rig, pytest.raises(OutcomeUnknown, match="written"):
        written(night, "e.tar")
    assert rig.fired and members(night.root.parent / "e.tar") == members(night.root.parent / "whole.tar")


def test_the_script_inside_needs_nothing_but_python(night: Night, tmp_path: Path) -> None:
    night.write("data/odd\nname.csv", "a,b\n1,2\n")
    night.write("data/" + "long" * 40 + ".csv", "a,b\n1,2\n")
    night.commit("odd names")
    path, _ = written(night, rev="HEAD", at=None)
    with tarfile.open(path, "r:") as archive:
        archive.extractall(tmp_path / "x", filter="data")
    (folder,) = (tmp_path / "x").iterdir()
    done = run_script(folder / "verify.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert "All of it holds together" in done.stdout and "plain Python" in done.stdout
    assert run_script(folder / "verify.py", str(path)).returncode == 0
    sums = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, capture_output=True)
    assert sums.returncode == 0, sums.stdout
    for name in ("files/config/pipeline.json", "verify.py", "README.txt"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole.replace(b"e", b"f", 1) if name != "verify.py" else whole + b"#")
        done = run_script(folder / "verify.py")
        assert done.returncode == 1 and f"WRONG        {name}:" in done.stdout
        (folder / name).write_bytes(whole)
    (folder / "files/config/pipeline.json").unlink()
    assert "files/config/pipeline.json: missing" in run_script(folder / "verify.py").stdout
    assert run_script(folder / "verify.py", "/nowhere").returncode == 2


def test_the_script_imports_the_standard_library_alone() -> None:
    import ast

    tree = ast.parse(verify_script())
    found = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    found |= {str(n.module).split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert found - set(sys.stdlib_module_names) == {"blake3"}  # used where it is installed
    ast.parse(verify_script(), feature_version=(3, 9))


def test_a_move_that_another_repository_made_is_shown_by_what_brought_it_here(night: Night) -> None:
    clone(night.root, night.root.parent / "copy", actor="ben")
    from mlver.repo.repository import Repository

    copy = Repository.open(night.root.parent / "copy", actor="ben", clock=night.clock)
    target = night.root.parent / "copy.tar"
    result = write_evidence(copy, str(night.bad), target, at=at("2025-01-01T00:00"))
    (tenure,) = result.served
    assert tenure.began.at == night.since and tenure.live.actor == "ana"
    assert verify_evidence(target).sound


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=5000), st.lists(st.integers(0, 5000), max_size=3), st.sampled_from(["", "mlver 1 tree"]))
def test_plain_blake3_is_blake3(data: bytes, cuts: list[int], context: str) -> None:
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    expected = blake3(data, derive_key_context=context) if context else blake3(data)
    assert blake3_hex(pieces, context) == expected.hexdigest()


@pytest.mark.parametrize("size", [0, 1, 64, 65, 1023, 1024, 1025, 2048, 2049, 3072, 7 * 1024 + 1, 31 * 1024])
def test_plain_blake3_at_the_edges_of_its_chunks(size: int) -> None:
    data = bytes(n % 251 for n in range(size))
    assert blake3_hex([data]) == blake3(data).hexdigest()
