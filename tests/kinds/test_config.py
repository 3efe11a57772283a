"""Config: one unit per setting, whatever the file looks like."""

from __future__ import annotations

import json
import random
import tomllib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlver.kinds.base import Unreadable, same
from mlver.kinds.config import ConfigKind
from tests.kinds.byte_source import as_dict, diff, units

CONFIG = ConfigKind()
PIPELINE = '{"impute": "median", "C": 1.0, "max_iter": 2000, "seed": 0, "threshold": 0.5}'
words = st.text("abcdefgh .", min_size=1, max_size=5)
leaves = st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(allow_nan=False, allow_infinity=False) | words
settings = st.dictionaries(
    words,
    st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3)),
    max_size=5,
)


def shuffled(value: object, chance: random.Random) -> object:
    """The same document with the keys of every map in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], chance) for key in chance.sample(list(value), len(value))}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


@given(settings, st.randoms(use_true_random=False))
def test_order_of_keys_and_format_never_count(value: dict[str, object], chance: random.Random) -> None:
    other = shuffled(value, chance)
    first = as_dict(units(CONFIG, "c.json", json.dumps(value)))
    assert same(first, as_dict(units(CONFIG, "c.json", json.dumps(other, indent=3))))
    assert same(first, as_dict(units(CONFIG, "c.yaml", yaml.safe_dump(other, sort_keys=False))))


def test_a_changed_key_is_the_only_unit_that_differs() -> None:
    delta, comparison = diff(CONFIG, "config/pipeline.json", PIPELINE, PIPELINE.replace('"median"', '"-1"'))
    assert (delta.added, delta.removed, delta.changed) == ([], [], ["impute"])
    assert comparison.summary == "~1 key"
    assert comparison.counts["keys_changed"] == 1


def test_a_reformatted_file_has_the_same_meaning() -> None:
    commented = "# tuned by ana\nimpute:   median\nC: 1\nmax_iter: 2000\nthreshold: 0.5\nseed: 0\n"
    old, new = units(CONFIG, "c.json", PIPELINE), units(CONFIG, "c.yaml", commented)
    delta = old.delta(new)
    assert not delta
    assert CONFIG.compare(old, new, delta).same_meaning


def test_the_order_of_a_list_counts() -> None:
    delta, comparison = diff(CONFIG, "c.toml", 'steps = ["scale", "fit"]', 'steps = ["fit", "scale"]')
    assert delta.changed == ["steps"]
    assert not comparison.same_meaning


def test_true_is_not_one_and_one_is_one_point_zero() -> None:
    assert diff(CONFIG, "c.json", '{"a": 1, "b": 1}', '{"a": true, "b": 1.0}')[0].changed == ["a"]


def test_the_projects_own_settings_are_config() -> None:
    text = Path(__file__).parents[2].joinpath("pyproject.toml").read_text()
    found = units(CONFIG, "pyproject.toml", text)
    assert found.get("project.requires-python") == ">=3.11"
    assert found.get("project.dependencies") == tomllib.loads(text)["project"]["dependencies"]
    assert found.get("project.license-files") == ["LICENSE"]


@pytest.mark.parametrize(("path", "before", "after"), [
    ("uv.lock", '[[package]]\nname = "b"\nversion = "1"\n', '[[package]]\nname = "a"\nversion = "3"\n'),
    ("Pipfile.lock", '{"default": {"b": {"version": "==1"}}}', None),
])  # fmt: skip
def test_a_package_more_in_a_lock_file_changes_no_other(path: str, before: str, after: str | None) -> None:
    new = before.replace('{"b"', '{"a": {"version": "==3"}, "b"') if after is None else after + before
    delta, _ = diff(CONFIG, path, before, new)
    assert delta.added
    assert not delta.changed
    assert not delta.removed


def test_a_package_locked_twice_goes_by_its_version_too() -> None:
    lock = "".join(f'[[package]]\nname = "a"\nversion = "{version}"\n' for version in (1, 2))
    assert units(CONFIG, "poetry.lock", lock).get("package.a@2.version") == "2"


def test_a_new_pin_shows_as_the_package() -> None:
    delta, _ = diff(CONFIG, "requirements.txt", "numpy==1.26.4\nscipy\n", "scipy\nNumPy==2.4.6  # faster\n")
    assert delta.changed == ["numpy"]


def test_duplicate_keys_are_named() -> None:
    with pytest.raises(Unreadable, match="line 2: duplicate key C"):
        units(CONFIG, "c.yaml", "C: 1\nC: 2\n")
