"""pip's requirements and constraints files: package -> version specifier."""

from __future__ import annotations

import re

from mlver.kinds.base import Value

_PACKAGE = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?\s*((?:[<>=!~;@]|--).*)?")
_COMMENT = re.compile(r"(^|\s)#.*$")


def parse_requirements(text: str) -> dict[str, Value]:
    """Return normalised package name -> the rest of its line; a name with several lines has a list of them.

    Lines that are no package (`-r other.txt`, a URL) are there as they stand.
    """
    found: dict[str, list[str]] = {}
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines():
        words = _COMMENT.sub("", line).split()
        if not words:
            continue
        plain = " ".join(words)
        match = _PACKAGE.fullmatch(plain)
        if match:
            name = re.sub(r"[-_.]+", "-", match[1]).lower()  # PEP 503
            found.setdefault(name, []).append(" ".join(filter(None, (match[2], match[3]))))
        else:
            found.setdefault(plain, []).append(plain)
    return {name: specs[0] if len(specs) == 1 else sorted(specs) for name, specs in found.items()}
