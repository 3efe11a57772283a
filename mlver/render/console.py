"""Text from renderables: one theme, one width, one policy for colour."""

from __future__ import annotations

import io

from rich.console import Console, Group, RenderableType
from rich.theme import Theme

# Labels say what a piece of text is; only this table says how that looks.
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


def to_text(renderable: RenderableType, *, width: int = 80, color: bool = False) -> str:
    """Lay `renderable` out for `width` columns; lines carry no trailing spaces."""
    console = Console(
        file=io.StringIO(),
        width=width,
        height=100,
        theme=THEME,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(Group(renderable), crop=False)  # alone, a Text would forget that it must not wrap
    return "".join(f"{line.rstrip(' ')}\n" for line in captured.get().splitlines())
