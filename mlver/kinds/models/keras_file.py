"""Keras 3's `.keras` files: a zip of the configuration, metadata and an HDF5 file with the weights."""

from __future__ import annotations

import json
from typing import Final

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.models.archive import Archive
from mlver.kinds.models.hdf5_file import add_hdf5
from mlver.kinds.models.keras_config import Config
from mlver.kinds.models.loaded import Loaded
from mlver.kinds.models.scalars import clean
from mlver.kinds.models.walk import Walker

CONFIG: Final = "config.json"
_METADATA: Final = "metadata.json"
_WEIGHTS: Final = "model.weights.h5"
_LIMIT: Final = 64 << 20


def read_keras(archive: Archive) -> Loaded:
    """Return layers, settings and weights of the model; Unreadable when a part of the file is broken."""
    walker, config = Walker(), Config()
    config.add_text(walker, archive.text(CONFIG, _LIMIT), "")
    version = _version(archive)
    if version:
        walker.put("keras_version", version)
    missing = add_hdf5(walker, archive.part(_WEIGHTS), "", config.renamed)[1] if _WEIGHTS in archive else ""
    for member, value in archive.rest().items():
        walker.put(f"__members__.{member}", value)
    facts: dict[str, Value] = {**config.facts, **({"library": f"Keras {version}"} if version else {})}
    return config.loaded("keras", walker, config.title or "Keras model", facts, missing)


def _version(archive: Archive) -> str:
    """Return the version of Keras that wrote the file; the date it was written is no part of the model."""
    if _METADATA not in archive:
        return ""
    try:
        metadata = json.loads(archive.text(_METADATA, _LIMIT))
    except (ValueError, RecursionError) as error:
        raise Unreadable("a metadata.json that is not proper JSON") from error
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return clean(version[:40]) if isinstance(version, str) else ""
