"""Revisions, paths, values and times as people type them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.cli.session import Session
from mlver.cli.stages import stage_and_scope
from mlver.cli.values import parse_pairs, read_json
from mlver.errors import UsageError
from tests.cli.conftest import Terminal
from tests.kit import Bench


def paths(answer: object) -> list[str]:
    return [artifact["path"] for artifact in answer.json["artifacts"]]  # type: ignore[attr-defined]


def test_a_word_that_is_no_revision_is_a_path(mlver: Terminal, bench: Bench) -> None:
    assert paths(mlver("diff", "HEAD~1", "HEAD", "rules", "--json")) == ["rules/rules.json"]
    assert paths(mlver("diff", "HEAD~1", "--json", "--", "rules")) == ["rules/rules.json"]
    assert paths(mlver("diff", "HEAD~1..HEAD", "config/pipeline.json", "--json")) == ["config/pipeline.json"]


def test_after_dashes_a_name_of_both_is_a_path(mlver: Terminal, bench: Bench) -> None:
    assert mlver("branch", "rules").code == 0
    assert mlver("diff", "rules", "--json").json["artifacts"] == []
    assert paths(mlver("diff", "HEAD~1", "HEAD", "--json", "--", "rules")) == ["rules/rules.json"]


def test_a_word_that_is_neither_is_said_to_be(mlver: Terminal, bench: Bench) -> None:
    answer = mlver("diff", "HEAD~1", "nosuch")
    assert answer.code == 2
    assert answer.err.startswith("mlver: neither a revision nor a path: nosuch\n")


def test_three_revisions_are_too_many(mlver: Terminal, bench: Bench) -> None:
    assert mlver("diff", "HEAD", "HEAD", "HEAD", "--", "rules").err.startswith("mlver: too many revisions: ")


def test_paths_count_from_the_folder_one_is_in(mlver: Terminal, bench: Bench) -> None:
    assert paths(mlver("diff", "HEAD~1", "HEAD", "--json", "--", "rules.json", folder="w/rules")) == [
        "rules/rules.json"
    ]
    assert paths(mlver("diff", "HEAD~1", "HEAD", "--json", "--", "../config", folder="w/rules")) == [
        "config/pipeline.json"
    ]
    assert mlver("cat", "rules.json", folder="w/rules").out.startswith("[")
    assert mlver("blame", "rules.json#R1", "--json", folder="w/rules").json["units"][0]["path"] == "rules/rules.json"
    assert mlver("show", "HEAD~1:data/train.csv", "--json", folder="w/rules").json["path"] == "data/train.csv"


def test_a_path_outside_of_the_work_tree_is_refused(mlver: Terminal, bench: Bench) -> None:
    answer = mlver("restore", "../../etc/passwd")
    assert answer.code == 2
    assert answer.err.startswith("mlver: path is outside the work tree: ../../etc/passwd\n")


def test_dash_c_works_as_if_started_there(mlver: Terminal, bench: Bench) -> None:
    assert mlver("-C", "w/rules", "status", "--json", folder=".").json["branch"] == "main"


def test_pairs_of_name_and_value() -> None:
    assert parse_pairs(["recall{clinic=C}=0.375", "seed=46", "note=a=b", "x=null", "flag=true", 'json={"a":1}']) == {
        "recall{clinic=C}": 0.375,
        "seed": 46,
        "note": "a=b",
        "x": None,
        "flag": True,
        "json": '{"a":1}',
    }


@pytest.mark.parametrize("word", ["recall", "=1", "{clinic=C}", " =2"])
def test_what_is_no_pair_is_named(word: str) -> None:
    with pytest.raises(UsageError, match="not name=value"):
        parse_pairs([word])


def test_a_name_given_twice_is_an_error() -> None:
    with pytest.raises(UsageError, match="a is given twice"):
        parse_pairs(["a=1", "a=2"])


@pytest.mark.parametrize(
    ("text", "said"), [("[1]", "holds no JSON object"), ("{", "is not JSON"), ("\udcff", "is not JSON")]
)
def test_a_file_of_values_that_is_no_json_object_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=f"m.json {said}"):
        read_json(tmp_path, Path("m.json"))


def test_a_stage_may_carry_its_scope() -> None:
    assert stage_and_scope("prod/clinic=C", "") == ("prod", "clinic=C")
    assert stage_and_scope("prod", "clinic=C") == ("prod", "clinic=C")
    with pytest.raises(UsageError, match="two scopes"):
        stage_and_scope("prod/clinic=C", "clinic=A")
    with pytest.raises(UsageError, match="prod/: no scope after the slash"):
        stage_and_scope("prod/", "")  # as a script writes it that has lost its variable


def test_the_date_comes_from_the_option_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLVER_DATE", "2024-04-22T03:07Z")
    session = Session()
    assert session.now().isoformat() == "2024-04-22T03:07:00+00:00"
    assert str(session.moment("2h")) == "2024-04-22 01:07:00+00:00"
    assert str(session.moment("yesterday")) == "2024-04-21 00:00:00+00:00"
    session.update(date="2024-05-01")
    assert session.now().isoformat() == "2024-05-01T00:00:00+00:00"


def test_the_author_comes_from_the_option_before_the_environment(mlver: Terminal, bench: Bench) -> None:
    bench.write("a.txt", "a\n")
    assert mlver("commit", "-m", "a", "--json").json["author"] == "ana"
    bench.write("a.txt", "b\n")
    assert mlver("--author", "ben", "commit", "-m", "b", "--json").json["author"] == "ben"
    bench.write("a.txt", "c\n")
    assert mlver("--author", "ben", "commit", "-m", "c", "--author", "cleo", "--json").json["author"] == "cleo"


def test_the_users_settings_name_the_author(
    mlver: Terminal, bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLVER_AUTHOR")
    (tmp_path / "mine.toml").write_text('author = "Dana"\n')
    monkeypatch.setenv("MLVER_CONFIG", str(tmp_path / "mine.toml"))
    bench.write("a.txt", "a\n")
    assert mlver("commit", "-m", "a", "--json").json["author"] == "Dana"


def test_log_filters_by_author_and_words(mlver: Terminal, bench: Bench) -> None:
    assert [c["message"] for c in mlver("log", "--author", "EVE", "--json").json["commits"]] == ["v2"]
    assert [c["message"] for c in mlver("log", "--grep", "tri-60", "--json").json["commits"]] == ["v2"]
    assert [c["message"] for c in mlver("log", "HEAD~1..HEAD", "--json").json["commits"]] == ["v2"]
    assert [c["message"] for c in mlver("log", "-n", "1", "--json").json["commits"]] == ["v2"]
