"""What has to hold beyond its content before a file is called plain data: one file, one meaning, one name.

A format without a way to name code is no proof that the loader takes the file for that format. Many loaders go
by the suffix (Keras, `np.load`), some look for a zip archive at the end of a file (Python's `zipfile`), and some
JSON documents are read by programs that import or run what stands in them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Final

from mlver.kinds.base import Source
from mlver.kinds.models.loaded import Loaded
from mlver.kinds.models.symbols import PLAIN, UNKNOWN

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
    return replace(found, verdict=UNKNOWN, oddities=(*found.oddities, *odd)) if odd else found


def ends_as_zip(source: Source) -> bool:
    """Whether the last bytes of a file are the end of a zip archive, as `zipfile` looks for it."""
    with source.open() as stream:
        stream.seek(max(0, source.size - _TAIL))
        tail = stream.read(_TAIL)
    return b"PK\x05\x06" in tail


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
