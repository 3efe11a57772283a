"""JSON of results: strict, pure ASCII, one document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlver.objects.result import Result


def json_text(result: Result, *, indent: bool = False) -> str:
    """Return the document with its final newline; indented for people, else on one line.

    Pure ASCII, so that no character of a name or message can act on a terminal.
    """
    return json.dumps(result.to_dict(), indent=2 if indent else None, allow_nan=False) + "\n"
