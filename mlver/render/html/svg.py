"""Drawings as SVG text: axes of time, bars, step lines. Every text is escaped; colours are the style sheet's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from mlver.render.html.page import text_of

WIDTH = 960
SERIES = ("var(--a)", "var(--b)", "var(--c)", "var(--d)", "var(--e)")


def num(value: float) -> str:
    """Return a coordinate with one decimal: the same on every machine."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def text(x: float, y: float, words: object, cls: str = "") -> str:
    """Return a line of text at a point."""
    kind = f' class="{cls}"' if cls else ""
    return f'<text x="{num(x)}" y="{num(y)}"{kind}>{text_of(words)}</text>'


def rect(x: float, y: float, width: float, height: float, fill: str, title: str = "", extra: str = "") -> str:
    """Return a box; `title` is what a pointer or a screen reader says of it."""
    inner = f"<title>{text_of(title)}</title>" if title else ""
    return (
        f'<rect x="{num(x)}" y="{num(y)}" width="{num(max(0.0, width))}" height="{num(height)}" rx="2" '
        f'fill="{fill}"{extra}>{inner}</rect>'
    )


def line_between(x1: float, y1: float, x2: float, y2: float, cls: str = "rule") -> str:
    """Return a straight line."""
    return f'<line x1="{num(x1)}" y1="{num(y1)}" x2="{num(x2)}" y2="{num(y2)}" class="{cls}"/>'


def drawing(title: str, about: str, height: float, parts: Sequence[str], width: float = WIDTH) -> str:
    """Return an SVG with a title and a description for those who cannot see it."""
    return (
        f'<svg viewBox="0 0 {num(width)} {num(height)}" role="img" preserveAspectRatio="xMinYMin meet">'
        f"<title>{text_of(title)}</title><desc>{text_of(about)}</desc>{''.join(parts)}</svg>"
    )


class TimeAxis:
    """Moments from left to right between two edges."""

    def __init__(self, first: datetime, last: datetime, left: float, right: float) -> None:
        self.first, self.last, self.left, self.right = first, last, left, right
        self._span = max(1.0, (last - first).total_seconds())

    def x(self, moment: datetime) -> float:
        """Return where a moment is, within the edges."""
        share = (moment - self.first).total_seconds() / self._span
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)

    def ticks(self, top: float, bottom: float, count: int = 5) -> list[str]:
        """Return lines and labels; days, with hours when the whole axis is short."""
        short = self._span < 3 * 86400
        parts = [line_between(self.left, bottom, self.right, bottom, "axis")]
        for n in range(count):
            moment = self.first + (self.last - self.first) * (n / (count - 1))
            x = self.x(moment)
            label = moment.astimezone(UTC).strftime("%d %b %H:%M" if short else "%d %b %Y")
            cls = "soft" if n == 0 else "soft end" if n == count - 1 else "soft mid"
            parts += [line_between(x, top, x, bottom), text(x, bottom + 15, label, cls)]
        return parts
