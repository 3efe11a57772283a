"""What has to hold beyond its content before a file is called plain data: one file, one meaning, one name.

A format without a way to name code is no proof that the loader takes the file for that format. Many loaders go
by the suffix (Keras, `np.load`), some look for a zip archive at the end of a file (Python's `zipfile`), a pickle needs
no header, so that a TOML file or the header of safetensors can be one as well, and some JSON documents are read by
programs that import or run what stands in them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Final

from mlver.kinds.base import Source, Unreadable
from mlver.kinds.documents import load as load_document
from mlver.kinds.models.hidden import reads_as_pickle
from mlver.kinds.models.limits import CHUNK
from mlver.kinds.models.loaded import Loaded
from mlver.kinds.models.symbols import PLAIN, RUNS, UNKNOWN

DOCUMENTS: Final = (".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf")
_DOCUMENT: Final = ("document", "xgboost json")
_PROMISED: Final = {  # suffix: what may be in such a file
    ".safetensors": ("safetensors",), ".onnx": ("onnx",), ".gguf": ("gguf",), ".ubj": ("xgboost ubj",),
    ".json": _DOCUMENT, ".yaml": _DOCUMENT, ".yml": _DOCUMENT, ".toml": _DOCUMENT, ".ini": _DOCUMENT,
    ".cfg": _DOCUMENT, ".conf": _DOCUMENT, ".txt": ("lightgbm text",), ".lgb": ("lightgbm text",),
}  # fmt: skip
_OTHERS: Final = frozenset(  # suffixes whose loaders run what a file says
    (
        ".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".bin", ".skops", ".keras", ".h5", ".hdf5", ".npy",
        ".npz", ".dill", ".sav", ".p", ".pk", ".pb", ".mar", ".zip", ".tar",
        ".dat", ".data", ".rds", ".rda", ".rdata", ".pmml",
        ".mlmodel", ".tflite", ".cbm", ".nemo", ".mlpackage", ".py",
    )
)  # fmt: skip
_TAIL: Final = (1 << 16) + 22  # an end record of a zip archive, with the longest comment
_CALLED: Final = frozenset(
    ("auto_map", "chat_template", "py/object", "py/reduce", "py/function", "py/type", "_target_")
)
_HINTS: Final = (  # bytes without which no document names code; escapes can write any word
    *(word.encode() for word in sorted(_CALLED)), b"class_name", b"__class__", b"\\u", b"\\x", b"\0",
)  # fmt: skip
_YAML_HINTS: Final = (*_HINTS, b"!", b"%", b"\\U")  # a tag may make anything
_BUILT: Final = (("class_name", "config"), ("__class__", "__module__"), ("__loader__", "__class__"))


def checked(source: Source, found: Loaded) -> Loaded:
    """Return `found`, which is UNKNOWN when another loader could take the file for something else."""
    if found.verdict != PLAIN:
        return found
    suffix = PurePosixPath(source.path.lower()).suffix
    odd = []
    if found.format not in _PROMISED.get(suffix, (found.format,)) or suffix in _OTHERS:
        odd.append(f"named {suffix}, but holds {found.format}")
    if ends_as_zip(source):
        odd.append("also a zip archive")
    verdict, running = UNKNOWN, found.running
    if also := reads_as_pickle(source):
        verdict = also[0]
        odd.append(f"also a pickle: {also[1]}")
        running = (also[1],) if verdict == RUNS else running
    return replace(found, verdict=verdict, running=running, oddities=(*found.oddities, *odd)) if odd else found


def ends_as_zip(source: Source) -> bool:
    """Whether the last bytes of a file are the end of a zip archive, as `zipfile` looks for it."""
    with source.open() as stream:
        stream.seek(max(0, source.size - _TAIL))
        tail = stream.read(_TAIL)
    return b"PK\x05\x06" in tail


def document_names_code(source: Source) -> str | None:
    """Return why a document of any kind may name code that programs build or run; None when it does not.

    What cannot be read is only of interest where a word in it hints at that.
    """
    suffix = PurePosixPath(source.path.lower()).suffix
    if suffix not in DOCUMENTS or not _hinted(source, _YAML_HINTS if suffix in (".yaml", ".yml") else _HINTS):
        return None
    try:
        key = names_code(load_document(source))
    except Unreadable as reason:
        return str(reason)
    return key and f"names what to call or run: {key}"


def _hinted(source: Source, hints: tuple[bytes, ...]) -> bool:
    longest, before = max(map(len, hints)), b""
    with source.open() as stream:
        while piece := stream.read(CHUNK):
            window = before + piece
            if any(hint in window for hint in hints):
                return True
            before = window[-longest:]
    return False


def names_code(thing: Any) -> str | None:
    """Return a key of a document that tells programs what to import, build or run; None when there is none."""
    todo = [thing]
    while todo:
        part = todo.pop()
        if isinstance(part, list):
            todo.extend(inner for inner in part if isinstance(inner, (dict, list)))
        elif isinstance(part, dict):
            if found := _CALLED.intersection(key for key in part if isinstance(key, str)):
                return min(found)
            if any(all(key in part for key in pair) for pair in _BUILT):
                return next(pair[0] for pair in _BUILT if all(key in part for key in pair))
            todo.extend(inner for inner in part.values() if isinstance(inner, (dict, list)))
    return None
