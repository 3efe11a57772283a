"""Which kind a file is, found from its path when the path tells, and what that costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.errors import UsageError
from mlver.kinds import registry
from mlver.kinds.base import Kind, Source, Spec, Units
from mlver.kinds.recognise import score

BY_PATH = {
    "data": "data/train.csv data/val/static.csv data/live/w3.csv data/labels/w3.csv train.parquet x/a.feather"
            " events.jsonl data/metrics.csv a.npy features/x.tsv data/day=1/part-0.parquet train.csv.gz"
            " config/lookup.csv",
    "model": "models/triage.joblib models/fallback.json model.pkl a/b.safetensors models/bert/config.json net.onnx"
             " models/lr.joblib.gz checkpoints/last.ckpt models/params.yaml",
    "rules": "rules/rules.json checks/bounds.json rules/r.yaml config/rules.toml bounds.json alerts/rules.yml"
             " data/checks/age.yaml expectations/input.json rules/sub/x.json Rules/R.JSON"
             " rules/filters.py checks/bounds.sql src/rules.py models/schema.yml models/staging/_stg__models.yml",
    "metrics": "metrics/w3.json metrics.json reports/val_metrics.json models/metrics.json eval/scores.yaml"
               " metrics/curve.csv results/run.json",
    "alerts": "alerts/history.jsonl alerts/history.csv alerts.jsonl incidents/2024.json",
    "config": "config/pipeline.json mlver.toml pyproject.toml params.yaml requirements.txt requirements-dev.txt"
              " uv.lock setup.cfg conf/a.ini environment.yml .github/workflows/ci.yml package.json thing.json"
              " config/metrics.yaml",
    "code": "train.py README.md README Makefile Dockerfile queries/a.sql run.sh notebooks/explore.ipynb src/metrics.py"
            " rules/README.md rules/__init__.py rules/test_r.py rules/run.sh"
            " notes.txt LICENSE .gitignore .mlverignore config/load.py data/README.md",
    "file": "logo.png doc/paper.pdf .env .env.local a.zip data/images/1.jpg x.tar.gz",
}  # fmt: skip


def unread() -> bytes:
    raise AssertionError("the file was read although its path decides")


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, paths in BY_PATH.items() for path in paths.split()])
def test_the_path_alone_decides(kind: str, path: str) -> None:
    assert registry.detect(path, unread) == kind
    assert score(kind, path, b"") == 90


@pytest.mark.parametrize(
    ("path", "head", "kind"),
    [
        ("table", b"PAR1\x15\x04", "data"),
        ("x.unknown", b"ARROW1\0\0", "data"),
        ("weights", b"\x80\x04\x95\x10", "model"),
        ("pytorch_model.bin", b"PK\x03\x04" + b"\0" * 26 + b"archive/data.pkl", "model"),
        ("w", (60).to_bytes(8, "little") + b'{"a":{"dtype":"F32"', "model"),
        ("models/lgb.txt", b"tree\nversion=v4\n", "model"),
        ("models/notes.txt", b"what we tried\n", "code"),
        ("models/blob", b"\x00\x01", "model"),
        ("blob", b"\x00\x01\x02", "file"),
        ("latin", b"caf\xe9 noir", "file"),
        ("script", b"#!/bin/sh\n", "code"),
        ("empty", b"", "code"),
        ("long", ("é" * 2048).encode()[1:] + b"\xc3", "file"),
        ("cut", b"a" + ("é" * 2048).encode()[:4095], "code"),
        ("data/rows.json", b'[\n {"id": 1}]', "data"),
        ("data/schema.json", b'{"id": "int"}', "config"),
    ],
)
def test_the_first_bytes_decide_where_the_path_does_not(path: str, head: bytes, kind: str) -> None:
    calls = []
    assert registry.detect(path, lambda: calls.append(1) or head) == kind  # type: ignore[func-returns-value]
    assert calls == [1]


@given(st.text(max_size=30), st.binary(max_size=40))
def test_every_file_is_of_some_kind(path: str, head: bytes) -> None:
    assert registry.detect(path, lambda: head) in registry.KINDS
    assert any(score(name, path, head) for name in registry.KINDS)


def test_kinds_come_by_name_and_say_it() -> None:
    for name in ("rules", "metrics", "alerts", "config", "code", "file"):
        assert registry.get(name).name == name
        assert registry.get(name) is registry.get(name)
    with pytest.raises(UsageError, match="no kind is named 'nope'") as refusal:
        registry.get("nope")
    assert "rules" in str(refusal.value.hint)


def test_the_most_telling_kinds_come_first_in_a_diff() -> None:
    order = [registry.get(name).order for name in ("metrics", "rules", "config", "alerts", "code", "file")]
    assert order == sorted(set(order))


def test_detecting_and_the_small_kinds_load_nothing_heavy() -> None:
    code = (
        "import sys; from mlver.kinds import registry\n"
        "for p in ('data/a.csv', 'x', 'models/a.joblib', 'a.yaml'): registry.detect(p, lambda: b'PAR1')\n"
        "assert not {m for m in sys.modules if m.startswith('mlver.kinds.') and m.rpartition('.')[2] not in "
        "('registry', 'recognise', 'base')}, sorted(sys.modules)\n"
        "for k in ('rules', 'metrics', 'alerts', 'config', 'code', 'file'): registry.get(k)\n"
        "assert not {'pyarrow', 'numpy', 'yaml', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class DrawingKind(Kind):
    """A third party's kind: sure of .svg, and of anything that starts with its magic."""

    name = "drawing"

    def recognises(self, path: str, head: bytes) -> int:
        return 95 if path.endswith(".svg") or head.startswith(b"DRAW") else 0

    def units(self, source: Source, spec: Spec) -> Units:
        return Units({})


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    points = [
        EntryPoint("drawing", f"{__name__}:DrawingKind", "mlver.kinds"),
        EntryPoint("rules", "nowhere:Nothing", "mlver.kinds"),
    ]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
    monkeypatch.setattr(EntryPoint, "load", lambda self: DrawingKind if self.name == "drawing" else 1 / 0)
    registry._plugins.cache_clear()
    registry.get.cache_clear()
    yield
    registry._plugins.cache_clear()
    registry.get.cache_clear()


@pytest.mark.usefixtures("plugins")
def test_an_installed_kind_takes_part_but_replaces_none() -> None:
    assert registry.names() == (*registry.KINDS, "drawing")
    assert registry.detect("a.svg", lambda: b"<svg>") == "drawing"
    assert registry.detect("unknown", lambda: b"DRAW") == "drawing"
    assert registry.detect("train.py", unread) == "code"
    assert registry.get("rules").name == "rules"


def test_a_kind_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_plugins", lambda: {"odd": EntryPoint("odd", "no.such.module:Kind", "mlver.kinds")})
    with pytest.raises(UsageError, match=r"the kind 'odd' \(no.such.module:Kind\) cannot be loaded"):
        registry.get("odd")
