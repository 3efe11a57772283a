"""Finds out by its bytes, hardly ever by its name, what form a model file has, and reads it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from mlver.kinds.base import Source, Unreadable
from mlver.kinds.documents import load as load_document
from mlver.kinds.models import (
    gguf_file,
    hdf5_file,
    keras_file,
    lightgbm_file,
    onnx_file,
    pickle_file,
    safetensors_file,
    skops_file,
    torch_file,
    xgboost_file,
)
from mlver.kinds.models.archive import Archive, is_zip
from mlver.kinds.models.loaded import Loaded, UnreadableModel
from mlver.kinds.models.plain import DOCUMENTS, checked, names_code
from mlver.kinds.models.symbols import PLAIN, UNKNOWN
from mlver.kinds.models.walk import Walker

_OTHERS: Final = {
    b"ZF": "a compressed file of joblib before 0.9.3, which is not read",
    b"7z\xbc\xaf": "a 7-Zip archive, which is not read",
    b"binf": "XGBoost's old binary format, which is not read: save_model writes .ubj and .json",
    b"bs64": "XGBoost's old binary format, which is not read: save_model writes .ubj and .json",
    b"CBM1": "a CatBoost file, which is not read",
}
_UNREAD: Final = {
    ".cbm": "a CatBoost file",
    ".tflite": "a TensorFlow Lite file",
    ".pmml": "a PMML file",
    ".mlmodel": "a Core ML file",
}
_HEAD: Final = 4096


def load(source: Source) -> Loaded:
    """Return what is in the file; UnreadableModel with the reason when it is no model this module reads."""
    try:
        return checked(source, _load(source))
    except UnreadableModel:
        raise
    except Unreadable as reason:
        raise UnreadableModel(str(reason)) from reason


def _load(source: Source) -> Loaded:
    if source.size == 0:
        raise Unreadable("the file is empty")
    with source.open() as stream:
        head = stream.read(_HEAD)
    for magic, reason in _OTHERS.items():
        if head.startswith(magic):
            raise Unreadable(reason)
    suffix = PurePosixPath(source.path.lower()).suffix
    if suffix in _UNREAD:
        raise Unreadable(f"{_UNREAD[suffix]}, which is not read")
    return _by_head(source, head, suffix)


def _by_head(source: Source, head: bytes, suffix: str) -> Loaded:
    """Read the file with the reader for its first bytes."""
    if is_zip(head):
        return _zip(Archive(source))
    if head.startswith(hdf5_file.MAGIC):
        return hdf5_file.read_weights(source)
    if head.startswith(gguf_file.MAGIC):
        return gguf_file.read_gguf(source)
    if head.startswith((lightgbm_file.MAGIC, b"tree\r\n")):
        return lightgbm_file.read_lightgbm(source)
    if suffix == ".onnx":
        return onnx_file.read_onnx(source)
    if suffix == ".ubj" or xgboost_file.looks_like_ubj(head):
        return xgboost_file.read_ubj(source)
    if safetensors_file.looks_like_safetensors(head) or suffix == ".safetensors":
        units, arrays = safetensors_file.read_safetensors(source)
        return Loaded("safetensors", units, arrays, PLAIN)
    if torch_file.is_legacy(head):
        raise Unreadable(torch_file.LEGACY)
    if suffix in DOCUMENTS or head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        return _load_document(source)
    return pickle_file.read_pickle(source)


def _zip(archive: Archive) -> Loaded:
    if torch_file.data_member(archive) is not None:
        return torch_file.read_torch(archive)
    if skops_file.SCHEMA in archive:
        return skops_file.read_skops(archive)
    if keras_file.CONFIG in archive:
        return keras_file.read_keras(archive)
    raise Unreadable("a zip archive that is neither of PyTorch, skops nor Keras")


def _load_document(source: Source) -> Loaded:
    thing = load_document(source)
    if not isinstance(thing, (dict, list)):
        raise Unreadable("a document that is neither a map nor a list")
    if isinstance(thing, dict) and xgboost_file.is_xgboost(thing):
        return xgboost_file.xgboost_model(thing, "xgboost json")
    walker = Walker()
    walker.walk(thing)
    found = Loaded("document", walker.units, walker.arrays, PLAIN)
    key = names_code(thing)
    return found if key is None else replace(found, verdict=UNKNOWN, oddities=(f"names what to call or run: {key}",))
