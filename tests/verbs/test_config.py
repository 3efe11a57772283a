"""Settings: known ones only, each with where it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.errors import UsageError
from mlver.repo.repository import Repository
from mlver.verbs.config import get_config, set_config
from tests.kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "clinic")


def test_all_settings_are_listed_with_their_default_and_purpose(bench: Bench) -> None:
    settings = {setting.name: setting for setting in get_config(bench.repo).settings}
    assert settings["releases.keep"].value == 3 and settings["releases.keep"].origin == "default"
    assert all(setting.about for setting in settings.values())


def test_a_setting_is_kept_in_the_repository_and_can_be_taken_back(bench: Bench) -> None:
    set_config(bench.repo, "releases.keep", "5")
    assert bench.repo.settings.get("releases.keep") == 5
    (found,) = get_config(bench.reopen(), "releases.keep").settings
    assert (found.value, found.origin) == (5, "repository")
    set_config(bench.repo, "releases.keep", None)
    (found,) = get_config(bench.reopen(), "releases.keep").settings
    assert (found.value, found.origin) == (3, "default")


def test_the_repository_wins_over_the_user(bench: Bench, tmp_path: Path) -> None:
    user = tmp_path / "user.toml"
    user.write_text('author = "ben"\nreleases.keep = 7\n')
    repo = Repository.open(bench.root, user_config=user)
    assert repo.actor == "ben"
    set_config(repo, "releases.keep", "1")
    assert {s.name: (s.value, s.origin) for s in get_config(repo).settings}["releases.keep"] == (1, "repository")
    set_config(repo, "releases.keep", None)
    assert get_config(repo, "releases.keep").settings[0].origin == "user"


@pytest.mark.parametrize("text", ['Ana "the lead" \\ O\'Neill', "Zoë 🦊", "= # [x]"])
def test_any_line_of_text_comes_back(bench: Bench, text: str) -> None:
    set_config(bench.repo, "author", text)
    assert get_config(bench.reopen(), "author").settings[0].value == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("releases.kept", "3"),
        ("releases.keep", "many"),
        ("releases.keep", "-1"),
        ("releases.keep", "9" * 5000),
        ("symlinks", "follow"),
        ("author", "two\nlines"),
        ("author", ""),
        ("author", "\udc80"),
    ],
)
def test_what_is_no_setting_is_refused_and_nothing_is_written(bench: Bench, name: str, value: str) -> None:
    with pytest.raises(UsageError):
        set_config(bench.repo, name, value)
    assert not (bench.root / ".mlver/config.toml").exists()


@pytest.mark.parametrize("text", ["releases.keep = [1]", "author = 5", "nonsense = 1", "a = = b", "symlinks = 'x'"])
def test_a_file_that_is_wrong_is_named(bench: Bench, text: str) -> None:
    (bench.root / ".mlver/config.toml").write_text(text)
    with pytest.raises(UsageError, match=r"config\.toml"):
        get_config(Repository.open(bench.root))
