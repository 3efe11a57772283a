"""The grammar of storage keys, in one place."""

from __future__ import annotations

import re
from functools import lru_cache

from mlver.errors import Refused

_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}"
_KEY = re.compile(rf"{_PART}(?:/{_PART})*")
MAX_KEY = 1000


@lru_cache(maxsize=1024)
def is_key(text: str) -> bool:
    """Whether `text` is a key: parts of ASCII letters, digits and `._-`, none beginning with a dot."""
    return len(text) <= MAX_KEY and _KEY.fullmatch(text) is not None


def check_key(text: str) -> str:
    """Return `text`; Refused when it is no key."""
    if not is_key(text):
        raise Refused(f"not a storage key: {text[:80]!r}")
    return text


def check_folder(text: str) -> str:
    """Return the folder prefix `text` without a slash at its end; empty means everything."""
    text = text.removesuffix("/")
    return check_key(text) if text else ""
