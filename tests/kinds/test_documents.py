"""The strict readers: what they accept, what they refuse, and that they say where."""

from __future__ import annotations

import json
import math
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlver.kinds.base import Unreadable, same
from mlver.kinds.documents import flatten, join_path, load, load_records, split_path
from tests.kinds.byte_source import HugeSource, source

YAML_BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefghijk", "bcdefghijkl", strict=True)
)
ENDLESS = "9" * 5000

REFUSED = {
    "a.json": [
        ("", "empty file"),
        ('{"a":', "line 1: not JSON: ends too early"),
        ('{"a": 1,\n "b" 2}', "line 2: not JSON: expecting ':' delimiter"),
        ("{'a': 1}", "line 1: not JSON"),
        ('{"a": 1}\n{"a": 2}', "line 2: not JSON: extra data"),
        ('{"a": {"x": 1},\n "b": {"x": 1,\n "x": 2}}', "line 3: duplicate key b.x (first in line 2)"),
        ('[{"t": "}{,:", "n": [0, {"d d": 1, "d d": 1}]}]', "line 1: duplicate key 0.n.1.d d (first in line 1)"),
        ('{"a":\n1e999}', "line 2: the number 1e999 does not fit a float"),
        (f'{{"a":\n{ENDLESS}}}', "line 2: an integer of more than 4300 digits"),
        ('"\\ud800"', "a string holds half a surrogate pair (\\ud800 to \\udfff)"),
        ("[" * 100_000, "nested more than 100 deep"),
        ('{"a":' * 101 + "1" + "}" * 101, "nested more than 100 deep"),
        (b'{"a": 1,\n"b": "\xff"}', "line 2: not UTF-8 text"),
        ('{"a": "\x01"}', "line 1: not JSON: invalid control character at"),
    ],
    "a.yaml": [
        ("a: 1\nb: 2\na: 3\n", "line 3: duplicate key a (first in line 1)"),
        ("a: [1\nb: 2", "line 2: not YAML"),
        (YAML_BOMB, "more than 1,000,000 values"),
        ("a: &a {x: *a}", "line 1: *a names no finished value before it"),
        ("[" * 100_000, "nested more than 100 deep"),
        ("- " * 100_000, "nested more than 100 deep"),
        ("a: !!python/object/apply:os.system ['true']", "line 1: the tag !!python/object/apply:os.system is not read"),
        ("a: 1\nb: !secret x", "line 2: the tag !secret is not read"),
        ("a: !!binary aGk=", "line 1: the tag !!binary is not read"),
        ("a: 1.0e+999", "line 1: 1.0e+999 is no number"),
        (f"a: {ENDLESS}", "is no number"),
        (f"a: 0x{'f' * 10_000}", "an integer of more than 4300 digits"),
        ("? [a, b]\n: 1", "line 1: only text can be a key"),
        ("<<: 3", "line 1: << merges maps only"),
        ("a: \x07", "line 1: not YAML: a control character"),
        ('a: "\\ud800"', "line 1: not YAML"),
    ],
    "a.toml": [
        ("a = 1\na = 2\n", "line 2: not TOML: Cannot overwrite a value"),
        ("a = 1\nb = \n", "line 2: not TOML: Invalid value"),
        ("a =", "not TOML: Invalid value at the end"),
        ("a = 1e999", "line 1: the number 1e999 does not fit a float"),
        (f"a = {ENDLESS}", "a number or date that cannot be read"),
        ("a = " + "[" * 100_000, "nested more than 100 deep"),
        ("[a" + ".a" * 300_000 + "]", "line 1: a key of more than 100 parts"),
        ("b = 1\na" + ".'a'" * 300_000 + " = 1", "line 2: a key of more than 100 parts"),
    ],
    "a.ini": [
        ("[a]\nx = 1\nx = 2", "line 3: duplicate key x in [a]"),
        ("[a]\n[a]", "line 2: duplicate section [a]"),
        ("x = 1", "line 1: not INI: text before the first section"),
    ],
    "a.jsonl": [
        ('{"a": 1}\n\n{"a": 1', "line 3: not JSON: ends too early"),
        ('{"a": 1}\n{"b": 1, "b": 2}', "line 2: duplicate key b"),
    ],
    "a.csv": [
        ("a,b\n1,2\n3\n", "line 3: 1 cells under 2 columns"),
        ('a,b\n"x\ny",2\n3,4,5\n', "line 4: 3 cells under 2 columns"),
        ("a,b,a\n", "line 1: duplicate column a"),
        ('a\n"x', "line 2: not CSV"),
    ],
}


@pytest.mark.parametrize(
    ("path", "text", "reason"), [(path, *case) for path, cases in REFUSED.items() for case in cases]
)
def test_what_cannot_be_read_says_why_and_where(path: str, text: str | bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        load(source(path, text))
    assert reason.lower() in str(refusal.value).lower()
    assert len(str(refusal.value)) < 200
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("path", ["a.json", "a.yaml", "a.toml", "a.ini", "a.jsonl", "a.csv", "a", "requirements.txt"])
def test_a_file_of_100_mb_is_refused_without_being_opened(path: str) -> None:
    with pytest.raises(Unreadable, match=r"larger than|too large"):
        load(HugeSource(path))


def test_numbers_that_are_none_are_read_as_python_writes_them() -> None:
    value = load(source("m.json", json.dumps({"a": math.nan, "b": math.inf, "c": -math.inf})))
    assert same(value, {"a": math.nan, "b": math.inf, "c": -math.inf})
    assert same(load(source("m.yaml", "a: .nan\nb: .inf\nc: -.Inf")), value)
    assert same(load(source("m.toml", "a = nan\nb = inf\nc = -inf")), value)


def test_a_byte_order_mark_is_no_content() -> None:
    for path, text in (("a.json", '{"a": 1}'), ("a.yaml", "a: 1"), ("a.toml", "a = 1"), ("a.jsonl", '{"a": 1}')):
        assert load(source(path, b"\xef\xbb\xbf" + text.encode())) in ({"a": 1}, [{"a": 1}])


def test_depth_of_100_is_still_read() -> None:
    assert load(source("a.json", "[" * 100 + "]" * 100))
    assert load(source("a.yaml", "[" * 100 + "]" * 100))


def test_yaml_means_what_a_program_gets_but_dates_and_keys_are_text() -> None:
    text = (
        "on: yes\nempty:\nday: 2024-01-01\ntime: 12:30\noctal: 0777\nexp: 1e-3\nfloat: 1.0e-3\ntext: '1'\n1: !!str 2\n"
    )
    assert load(source("a.yaml", text)) == {
        "on": True, "empty": None, "day": "2024-01-01", "time": "12:30", "octal": 511,
        "exp": "1e-3", "float": 0.001, "text": "1", "1": "2",
    }  # fmt: skip


def test_yaml_anchors_and_merges_are_followed() -> None:
    text = "base: &b {lr: 1, decay: 2}\nmodel:\n  <<: *b\n  lr: 3\nboth:\n  <<: [{x: 1}, {x: 2, y: 3}]\n"
    assert load(source("a.yaml", text)) == {
        "base": {"lr": 1, "decay": 2}, "model": {"lr": 3, "decay": 2}, "both": {"x": 1, "y": 3},
    }  # fmt: skip


def test_yaml_of_several_documents_is_a_list() -> None:
    assert load(source("a.yaml", "a: 1\n---\nb: 2\n")) == [{"a": 1}, {"b": 2}]
    assert load(source("a.yaml", "# nothing\n")) is None


def test_ini_sections_and_interpolation_are_left_alone() -> None:
    assert load(source("a.cfg", "[DEFAULT]\nRoot = /x\n[b]\npath = %(Root)s/y\nflag\n")) == {
        "DEFAULT": {"Root": "/x"}, "b": {"path": "%(Root)s/y", "flag": None},
    }  # fmt: skip


def test_files_without_a_telling_name_are_tried() -> None:
    assert load(source("params", "a = 1")) == load(source("params", "a: 1")) == load(source("params", '{"a": 1}'))
    for text in ("hello", "", "- a\n- b\n", b"\x00\x01"):
        with pytest.raises(Unreadable, match="not JSON, YAML, TOML or INI"):
            load(source("params", text))


def test_records_know_their_lines() -> None:
    records = load_records(source("a.csv", 'id,note\n1,"two\nlines"\n2,x\n'))
    assert [tuple(record) for record in records] == [
        (2, {"id": "1", "note": "two\nlines"}),
        (4, {"id": "2", "note": "x"}),
    ]
    assert [record.line for record in load_records(source("a.jsonl", "1\n\n2\r\n"))] == [1, 3]
    assert load_records(source("a.json", "[1]"))[0].line is None


def test_requirements_are_named_as_pip_names_them() -> None:
    text = (
        "Scikit_Learn>=1.3 # why\n-r base.txt\ntorch==2.1 \\\n  --hash=sha256:aa\nruamel.yaml\nnumpy==1;a\nnumpy==2;b\n"
    )
    assert load(source("requirements-dev.txt", text)) == {
        "scikit-learn": ">=1.3", "-r base.txt": "-r base.txt", "torch": "==2.1 --hash=sha256:aa",
        "ruamel-yaml": "", "numpy": ["==1;a", "==2;b"],
    }  # fmt: skip


scalars = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=8)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@given(documents)
def test_json_that_python_writes_is_read_as_it_was(value: object) -> None:
    assert same(load(source("a.json", json.dumps(value))), value)
    assert same(load(source("a.json", json.dumps(value, ensure_ascii=False, indent=1))), value)


printable = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], max_codepoint=0xD7FF), max_size=8)
plain_documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | printable,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(printable, inner, max_size=4),
    max_leaves=15,
)


@given(plain_documents)
def test_yaml_is_read_as_its_own_safe_loader_reads_it(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    assert same(load(source("a.yaml", text)), value)


@given(st.binary(max_size=60) | st.text(alphabet="{}[]\",:'0e-+.&*!<#\n aNu\\", max_size=60).map(str.encode))
def test_no_bytes_lead_to_anything_but_a_value_or_a_reason(data: bytes) -> None:
    for path in ("a.json", "a.yaml", "a.toml", "a.ini", "a.jsonl", "a.csv", "a", "requirements.txt"):
        try:
            load(source(path, data))
        except Unreadable as refusal:
            assert str(refusal)


@given(st.lists(st.text(max_size=6), max_size=5))
def test_dotted_paths_are_taken_apart_as_they_were_joined(parts: list[str]) -> None:
    assert split_path(join_path(parts)) == parts


@given(documents)
def test_every_leaf_has_one_path(value: object) -> None:
    leaves = flatten(value)
    for path, leaf in leaves.items():
        node = value
        for part in split_path(path):
            node = node[int(part)] if isinstance(node, list) else node[part]  # type: ignore[index]
        assert same(node, leaf)


def test_paths_quote_only_what_would_be_misread() -> None:
    assert flatten({"mean radius": {"a.b": 1, "": 2, "x": [1, 2], "y": [{"z": []}]}}) == {
        'mean radius."a.b"': 1, 'mean radius.""': 2, "mean radius.x": [1, 2], "mean radius.y.0.z": [],
    }  # fmt: skip
    assert flatten({}) == flatten(None) == {}
    assert flatten([1, 2]) == {".": [1, 2]}
    for bad in ("", "a.", ".a", 'a"b', '"a', "a..b"):
        with pytest.raises(ValueError, match="not a dotted path"):
            split_path(bad)


def test_reading_json_loads_no_yaml() -> None:
    import subprocess

    code = "import sys; from mlver.kinds import alerts, config, metrics, rules; assert 'yaml' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
