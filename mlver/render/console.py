"""Text of pages: one theme, one width, one policy for colour."""

from __future__ import annotations

from mlver.render.layout import Piece
from mlver.render.theme import THEME

__all__ = ["THEME", "to_text"]


def to_text(page: Piece, *, width: int = 80, color: bool = False) -> str:
    """Lay `page` out for `width` columns; lines carry no trailing spaces."""
    dressed = THEME.dressed if color else lambda text, label: text
    rows = ["".join([dressed(text, label) for text, label in row]) for row in page.rows(width)]
    return "".join(f"{line.rstrip(' ')}\n" for line in "\n".join([*rows, ""]).splitlines())
