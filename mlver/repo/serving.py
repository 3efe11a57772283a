"""Whether models were trained with the package versions that will serve them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Unreadable
from mlver.kinds.documents.load import load
from mlver.repo.snapshot import Snapshot

_PINNED = re.compile(r"===?\s*(?P<version>[^\s;,]+)")
_NAME = re.compile(r"[-_.]+")


@frozen
class Difference:
    """One package: the version the model was trained with, and the one that serves."""

    package: str
    trained: str
    serves: str


def differing_packages(snapshot: Snapshot, path: str, trained: Mapping[str, str]) -> tuple[Difference, ...]:
    """Return the packages pinned in the requirements file `path` that training had in another version.

    Packages that are not pinned, or that training did not have, say nothing. Raises UsageError naming the
    file when it cannot be read.
    """
    try:
        document = load(snapshot.source(path))
    except Unreadable as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(document, Mapping):
        raise UsageError(f"{path}: no list of requirements")
    had = {_plain(name): version for name, version in trained.items()}
    found = []
    for name, spec in document.items():
        pinned = _PINNED.search(spec) if isinstance(spec, str) else None
        version = had.get(_plain(name))
        if pinned and version and version != pinned["version"]:
            found.append(Difference(_plain(name), version, pinned["version"]))
    return tuple(found)


def _plain(name: str) -> str:
    return _NAME.sub("-", name).lower()
