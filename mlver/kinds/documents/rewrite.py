"""Changing the value of a document, in whatever format it is written, and nothing else of its text."""

from __future__ import annotations

from collections.abc import Callable

from mlver.kinds.base import CannotEdit, Source, Value, read_all
from mlver.kinds.documents.load import form_of
from mlver.kinds.documents.reading import MAX_BYTES
from mlver.kinds.documents.rewrite_flow import json_style, render
from mlver.kinds.documents.rewrite_lines import rewrite_ini, rewrite_requirements
from mlver.kinds.documents.rewrite_records import rewrite_csv, rewrite_jsonl
from mlver.kinds.documents.rewrite_toml import rewrite_toml
from mlver.kinds.documents.rewrite_yaml import rewrite_yaml
from mlver.kinds.documents.spans import json_node

_BOM = b"\xef\xbb\xbf"


def rewrite(source: Source, old: Value, new: Value) -> bytes:
    """Return the bytes of `source`, whose value is `old` (as `load` gives it), changed to say `new`.

    Line ends, a byte order mark, comments and the spelling of what stays the same are kept. Whoever calls this
    reads the result again: that it says `new` is likely, not certain. Raises CannotEdit.
    """
    form = form_of(source.path)
    if form not in _WRITERS:
        raise CannotEdit("its suffix does not say how it is written")
    data = read_all(source, MAX_BYTES)
    text = data.decode("utf-8-sig")
    windows = "\r\n" in text and text.count("\r\n") == text.count("\n")
    said = _WRITERS[form](text.replace("\r\n", "\n") if windows else text, old, new)
    if windows:
        said = said.replace("\n", "\r\n")
    return (_BOM if data.startswith(_BOM) else b"") + said.encode()


def rewrite_json(text: str, old: Value, new: Value) -> str:
    """Return JSON text, whose value is `old`, changed to say `new`; the white space around it stays."""
    node = json_node(text)
    return text[: node.start] + render(text, node, old, new, json_style(text)) + text[node.end :]


_WRITERS: dict[str, Callable[[str, Value, Value], str]] = {
    "json": rewrite_json,
    "yaml": rewrite_yaml,
    "toml": rewrite_toml,
    "ini": rewrite_ini,
    "requirements": rewrite_requirements,
    "jsonl": rewrite_jsonl,
    "csv": rewrite_csv,
    "tsv": lambda text, old, new: rewrite_csv(text, old, new, "\t"),
}
