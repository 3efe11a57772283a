"""The looks of labels: one table, written in rich's words, and the codes terminals know for them."""

from __future__ import annotations

from collections.abc import Mapping

from mlver.frozen import frozen

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "magenta": "35", "cyan": "36"}


@frozen
class Theme:
    """Labels say what a piece of text is; `styles` alone says how that looks."""

    styles: Mapping[str, str]

    def dressed(self, text: str, label: str) -> str:
        """Return `text` within the codes (ECMA-48, SGR) of its label; as it is for a label without a look."""
        codes = ";".join(_CODES[word] for word in self.styles.get(label, "").split() if word in _CODES)
        return f"\x1b[{codes}m{text}\x1b[0m" if codes and text else text


THEME = Theme(
    {
        "added": "green",
        "removed": "red",
        "changed": "yellow",
        "better": "green",
        "worse": "bold red",
        "good": "green",
        "bad": "bold red",
        "done": "bold",
        "warning": "yellow",
        "hint": "cyan",
        "id": "yellow",
        "ref": "bold green",
        "stage": "bold magenta",
        "path": "bold",
        "unit": "cyan",
        "kind": "magenta",
        "who": "cyan",
        "when": "none",
        "head": "bold",
        "quiet": "dim",
        "command": "bold",
    }
)
