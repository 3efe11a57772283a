"""Words that name nothing: no repository, no revision, no path, no time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlver.errors import Damaged, LocalIO, Refused, UnknownRevision, UsageError
from mlver.objects.commit import Commit
from mlver.objects.ids import CommitId
from mlver.objects.time import parse_when
from mlver.repo.repository import Repository
from mlver.verbs.blame import blame
from mlver.verbs.branch import set_ref
from mlver.verbs.cat import cat, cat_units
from mlver.verbs.diff import diff
from mlver.verbs.metrics import add_metrics
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote, rollback
from mlver.verbs.restore import restore
from mlver.verbs.show import show
from mlver.verbs.switch import switch
from tests.badinput.kit import mlver, one_line, refused, small
from tests.kit import Bench

LOOKS: dict[str, Callable[[Repository, str], object]] = {
    "show": show,
    "blame": blame,
    "cat": lambda repo, text: cat(repo, text, lambda _: None),
    "cat_units": cat_units,
    "diff": diff,
    "note": lambda repo, text: add_note(repo, text, "seen"),
}
TAKES_REVISION: dict[str, Callable[[Repository, str], object]] = {
    "resolve": lambda repo, text: repo.resolve(text),
    "diff": diff,
    "restore": lambda repo, text: restore(repo, rev=text),
    "promote": lambda repo, text: promote(repo, "prod", text),
    "metrics": lambda repo, text: add_metrics(repo, text, {"recall": 1.0}),
    "tag": lambda repo, text: set_ref(repo, "tag", "t", text),
    "switch": lambda repo, text: switch(repo, text, detach=True),
}
NO_REVISION = [
    "nope", "HEAD~9", "HEAD~99999999999", "HEAD~" + "9" * 5000, "HEAD^2", "HEAD^" + "9" * 400, "HEAD" + "^" * 400,
    "HEAD" + "~" * 100_000, "HEAD@{99}", "HEAD@{" + "9" * 400 + "}", "main~1@{0}", "prod", "prod@{1}", "", "@@", "~",
    "0000", "f" * 64, "a" * 100_000, "x\ny", "\x1b[31m", "\udcff", "\0", "-x", "..", "HEAD:data/t.csv",
]  # fmt: skip
NO_TIME = ["HEAD@{nonsense}", "main@{9999999999999d}", "HEAD@{0001-01-01T00:00+23:59}", "HEAD@{2024-13-01}"]
NO_TARGET = ["nope.csv", "HEAD~9", "data/t.csv@nope", "nope:data/t.csv", "HEAD:nope", "x\ny", "a" * 5000, "\0"]
OUTSIDE = ["../x", "/etc/passwd", "data/../../x", "HEAD:../x", "HEAD:/etc/passwd", "../x@HEAD"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Every test in here leaves it as it is."""
    return small(tmp_path_factory.mktemp("words"))


def test_a_folder_that_is_no_repository_is_named(tmp_path: Path) -> None:
    with refused(tmp_path, UsageError, "not a mlver repository", str(tmp_path)):
        Repository.open(tmp_path)
    (tmp_path / ".mlver").write_text("a file of that name is none either")
    with refused(tmp_path, UsageError, "not a mlver repository"):
        Repository.open(tmp_path)


@pytest.mark.parametrize(
    ("content", "error", "word"),
    [
        (b"mlver repository format 2\n", Refused, "format 2"),
        (b"mlver repository format 1", Damaged, "format is damaged"),
        (b"", Damaged, "format is damaged"),
        (b"\xff\x00junk\n", Damaged, "format is damaged"),
        (b"x" * 20_000_000, LocalIO, "larger than"),
    ],
    ids=["newer", "cut", "empty", "junk", "giant"],
)
def test_a_format_file_that_is_not_ours_is_refused(
    tmp_path: Path, content: bytes, error: type[UsageError], word: str
) -> None:
    bench = small(tmp_path)
    (tmp_path / ".mlver/format").write_bytes(content)
    with refused(tmp_path, error, word, ".mlver"):
        bench.reopen()


@pytest.mark.parametrize("verb", TAKES_REVISION)
def test_an_unknown_revision_is_said_in_one_line(bench: Bench, verb: str) -> None:
    for text in NO_REVISION:
        if verb == "diff" and ".." in text:
            continue  # a range, or a path
        if text == "" and verb == "diff":
            continue  # nothing named: HEAD
        with refused(bench.root, UnknownRevision):
            TAKES_REVISION[verb](bench.repo, text)


@pytest.mark.parametrize("verb", TAKES_REVISION)
def test_a_time_that_is_none_is_said_in_one_line(bench: Bench, verb: str) -> None:
    for text in NO_TIME:
        with refused(bench.root, UsageError, "time"):
            TAKES_REVISION[verb](bench.repo, text)


def test_an_ambiguous_prefix_lists_the_commits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    # two commits with ids that begin alike would take long to find
    head = bench.repo.view.head
    assert head is not None
    twins = [head, bench.repo.commit(head).parents[0]]
    monkeypatch.setattr(bench.repo.store.index, "prefix", lambda text, types: twins)
    for verb in (*TAKES_REVISION.values(), show, blame):
        with refused(bench.root, UnknownRevision, "ambiguous", *(id.short for id in twins)):
            verb(bench.repo, "abcdef")


def test_a_name_of_two_things_cannot_come_to_be(bench: Bench) -> None:
    with refused(bench.root, Refused, "main is a branch"):
        set_ref(bench.repo, "tag", "main", "HEAD")
    with refused(bench.root, Refused, "main is a branch"):
        promote(bench.repo, "main")
    for name in ("HEAD", "a..b", "../x", "/x", "x.lock", "a b", "x\n", "-x", "abcdef0", "x" * 300):
        with refused(bench.root, UsageError, "not a valid"):
            set_ref(bench.repo, "branch", name, "HEAD")
        with refused(bench.root, UsageError, "not a valid"):
            promote(bench.repo, name)


@pytest.mark.parametrize("verb", LOOKS)
def test_a_target_that_names_nothing_is_said_in_one_line(bench: Bench, verb: str) -> None:
    for text in NO_TARGET:
        with refused(bench.root, UsageError):
            LOOKS[verb](bench.repo, text)


def test_the_line_says_what_was_wrong_with_the_words(bench: Bench) -> None:
    for text, word in [
        ("HEAD~9", "no such commit: HEAD~9"),
        ("data/t.csv@nope", "unknown revision 'nope'"),
        ("nope:data/t.csv", "unknown revision 'nope'"),
        ("data/t.cvs", "no artifact data/t.cvs"),
    ]:
        with refused(bench.root, UnknownRevision, word):
            show(bench.repo, text)


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_path_outside_of_the_work_tree_is_refused(bench: Bench, text: str) -> None:
    for verb in ("show", "blame", "cat", "note"):
        with refused(bench.root, UsageError, "outside the work tree"):
            LOOKS[verb](bench.repo, text)
    if "HEAD" not in text:
        for act in (
            lambda: bench.commit("x", paths=[text]),
            lambda: restore(bench.repo, [text]),
            lambda: diff(bench.repo, "HEAD~1", "HEAD", targets=[text]),
        ):
            with refused(bench.root, UsageError, "outside the work tree"):
                act()


def test_a_link_that_leads_outside_opens_no_way_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    bench = small(tmp_path / "w")
    (bench.root / "out").symlink_to(tmp_path)
    pieces: list[bytes] = []
    with refused(bench.root, UsageError):
        cat(bench.repo, "out/secret", pieces.append)
    assert pieces == []


def test_a_stage_where_nothing_is_live(bench: Bench) -> None:
    with refused(bench.root, UnknownRevision, "nothing is live on prod"):
        rollback(bench.repo, "prod")


@pytest.mark.parametrize(
    "text", ["", "99999999999999999999h", "9" * 5000 + "d", "0001-01-01T00:00+23:59", "99999-01-01", "2024-02-30", "\0"]
)
def test_a_time_out_of_range_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="not a time") as caught:
        parse_when(text, datetime.now(UTC))
    assert one_line(caught.value) and len(caught.value.message) < 200


@pytest.mark.parametrize(
    "act",
    [
        lambda bench: bench.commit("\udcff", allow_empty=True),
        lambda bench: bench.commit("m", by="\ud800", allow_empty=True),
        lambda bench: bench.commit("m", trailers={"why": ["\udcff"]}, allow_empty=True),
        lambda bench: add_note(bench.repo, "HEAD", "\udcff"),
        lambda bench: add_metrics(bench.repo, "HEAD", {"\udcff": 1.0}),
        lambda bench: bench.commit("m", parameters={"seed": 10**5000}, allow_empty=True),
    ],
    ids=["message", "author", "why", "note", "metric", "number"],
)
def test_what_cannot_be_recorded_is_refused(tmp_path: Path, act: Callable[[Bench], object]) -> None:
    bench = small(tmp_path)
    with refused(tmp_path, UsageError, "cannot be recorded"):
        act(bench)


def test_any_other_text_is_recorded_exactly_and_shown_escaped(tmp_path: Path) -> None:
    bench = small(tmp_path)
    message = "a\x1b[31m\u202e\n\n\x07body"
    commit = bench.repo.store.get_object(Commit, bench.commit(message, allow_empty=True))
    assert commit.message == message
    for words in (["log"], ["log", "--oneline"], ["show"], ["op", "log"], ["log", "--json"]):
        assert mlver(tmp_path, *words).returncode == 0


def test_a_wrong_word_on_the_command_line_ends_with_2_and_one_line(tmp_path: Path) -> None:
    small(tmp_path / "w")
    for folder, words in [
        (tmp_path, ["status"]),
        (tmp_path / "w", ["show", "HEAD~9"]),
        (tmp_path / "w", ["restore", "../x"]),
        (tmp_path / "w", ["log", "--since", "9999999999999d"]),
    ]:
        done = mlver(folder, *words)
        lines = done.stderr.decode().splitlines()
        assert done.returncode == 2 and lines[0].startswith("mlver: ") and len(lines) <= 2


def test_a_full_id_of_nothing_is_unknown_not_damaged(bench: Bench) -> None:
    with refused(bench.root, UnknownRevision):
        bench.repo.resolve(str(CommitId(bytes(32))))
