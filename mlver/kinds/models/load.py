"""Finds out by its bytes, never by its name, what form a model file has, and reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from mlver.kinds.base import Source, Unreadable, Value
from mlver.kinds.documents import load as load_document
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.joblib_file import WRAPPER
from mlver.kinds.models.paths import DISCARDED, TRAILING
from mlver.kinds.models.pickle_vm import Machine, Trace
from mlver.kinds.models.reader import Reader
from mlver.kinds.models.safetensors_file import looks_like_safetensors, read_safetensors
from mlver.kinds.models.symbols import PLAIN, is_data, runs_code, verdict
from mlver.kinds.models.values import Call, Group, Pairs, Symbol
from mlver.kinds.models.walk import Walker

_OTHERS: Final = {
    b"PK\x03\x04": "a zip archive (PyTorch, skops or Keras), which is not read",
    b"\x89HDF": "an HDF5 file (Keras), which is not read",
    b"GGUF": "a GGUF file, which is not read",
    b"ZF": "a compressed file of joblib before 0.9.3, which is not read",
    b"7z\xbc\xaf": "a 7-Zip archive, which is not read",
    b"tree\nversion=": "a LightGBM text file, which is not read",
}
_UNREAD: Final = {
    ".ubj": "an XGBoost UBJSON file",
    ".onnx": "an ONNX file",
    ".cbm": "a CatBoost file",
    ".tflite": "a TensorFlow Lite file",
    ".pmml": "a PMML file",
}
_DOCUMENTS: Final = (".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf")


@dataclass(frozen=True)
class Loaded:
    """What one model file holds. `verdict` is of loading it with its own library; `running` the names behind it."""

    format: str
    units: Mapping[str, Value]
    arrays: Mapping[str, ArrayData]
    verdict: str = PLAIN
    running: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()


def load(source: Source) -> Loaded:
    """Return what is in the file; Unreadable with the reason when it is no model this module reads."""
    if source.size == 0:
        raise Unreadable("the file is empty")
    with source.open() as stream:
        head = stream.read(64)
    for magic, reason in _OTHERS.items():
        if head.startswith(magic):
            raise Unreadable(reason)
    if looks_like_safetensors(head) or source.path.endswith(".safetensors"):
        units, arrays = read_safetensors(source)
        return Loaded("safetensors", units, arrays)
    suffix = PurePosixPath(source.path.lower()).suffix
    if suffix in _UNREAD:
        raise Unreadable(f"{_UNREAD[suffix]}, which is not read")
    if suffix in _DOCUMENTS or head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        return _load_document(source)
    return _load_pickle(source)


def _load_document(source: Source) -> Loaded:
    thing = load_document(source)
    if not isinstance(thing, (dict, list)):
        raise Unreadable("a document that is neither a map nor a list")
    walker = Walker()
    walker.walk(thing)
    return Loaded("document", walker.units, walker.arrays)


def _load_pickle(source: Source) -> Loaded:
    trace, walker = Trace(), Walker()
    with source.open() as stream:
        reader = Reader(source, stream)
        root = Machine(reader, trace).run()
        count, digest = reader.rest()
    walker.walk(root)
    lost = _lost(trace.dropped, root)
    if lost:
        walker.walk(lost, DISCARDED)
        trace.oddities["objects made and thrown away"] = None
    if count:
        walker.put(TRAILING, {"bytes": count, "digest": digest})
        trace.oddities["bytes after the end"] = None
    return Loaded(
        "joblib" if WRAPPER in trace.names else "pickle",
        walker.units,
        walker.arrays,
        verdict(trace.names, trace.calls_result, bool(trace.oddities)),
        tuple(sorted(filter(runs_code, trace.names))),
        tuple(sorted(name for name in trace.names if not is_data(name) and not runs_code(name))),
        tuple(trace.oddities),
    )


def _lost(dropped: list[Any], root: Any) -> list[Any]:
    """Return the names and calls that were made but are no part of `root`: they act when the file is loaded."""
    if not dropped:
        return []
    seen: set[int] = set()
    _reach(root, seen)
    return [thing for thing in dropped if id(thing) not in seen and _reach(thing, seen)]


def _reach(root: Any, seen: set[int]) -> bool:
    """Add the ids of everything in `root` to `seen`; return whether a name or call was new among them."""
    acts = False
    todo = [root]
    while todo:
        thing = todo.pop()
        if not isinstance(thing, (Symbol, Call, Pairs, Group, list, tuple, ArrayData)) or id(thing) in seen:
            continue
        seen.add(id(thing))
        acts = acts or isinstance(thing, (Symbol, Call))
        todo.extend(_parts(thing))
    return acts


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, Call):
        kwargs = thing.kwargs.pairs if thing.kwargs else []
        pairs = [part for pair in (*thing.items, *kwargs) for part in pair]
        return [thing.callee, *thing.args, *thing.states, *pairs, *thing.elements, thing.value]
    if isinstance(thing, Pairs):
        return [part for pair in thing.pairs for part in pair]
    if isinstance(thing, Group):
        return thing.members
    if isinstance(thing, ArrayData):
        return list(thing.objects or ())
    return list(thing) if isinstance(thing, (list, tuple)) else []
