"""In which line of its file a rule stands: for complaints that name it."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath

from mlver.kinds import rule_python, rule_sql
from mlver.kinds.base import Source, Unreadable
from mlver.kinds.documents import read_text, split_path

_ID_FIELDS = "id|rule_id|name|rule|alert|record|key|check|title|column|type|expectation_type"


def rule_line(source: Source, key: str) -> int | None:
    """Return the line of a rule, counted from 1; None when it can't be told."""
    try:
        suffix = PurePosixPath(source.path).suffix.lower()
        if suffix == ".py":
            return rule_python.lines_of(source).get(key)
        if suffix == ".sql":
            return rule_sql.lines_of(source).get(key)
        text = read_text(source)
    except (Unreadable, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for name in (key, _inner(key)):
        ways = "|".join(dict.fromkeys(map(re.escape, (json.dumps(name), json.dumps(name, ensure_ascii=False), name))))
        quoted = rf"(?:{ways}|'{re.escape(name)}')"
        for pattern in (
            rf"(?:\b|[\"'])(?:{_ID_FIELDS})[\"']?\s*[:=]\s*{quoted}(?=\s*[,}}\]\n\r#]|$)",
            rf"(?m)^\s*[-{{,]?\s*{quoted}\s*[:=]",
            rf"(?m)^\s*\[[^\]\n]*{quoted}\s*\]",
            quoted,
        ):
            if found := re.search(pattern, text):
                return text.count("\n", 0, found.end()) + 1
    return None


def _inner(key: str) -> str:
    """Return what stands in the file of an id that is made of several: the expectation's column, dbt's column."""
    if key.endswith(")") and "(" in key:
        return key[key.index("(") + 1 : -1]
    try:
        parts = split_path(key)
    except ValueError:
        return key
    return parts[-2] if len(parts) > 1 else key
