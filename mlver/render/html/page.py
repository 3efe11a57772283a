"""One self-contained HTML page: no script, no reference to anything outside of it, everything escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mlver.render.document import Block, Figure, Figures, Grid, Heading, Items, Line, Paragraph, Tiles
from mlver.render.html.style import STYLE
from mlver.render.lines import safe

_TONES = frozenset({"good", "bad", "warning", "quiet", "id", "who", "stage", "head", "path"})
# nothing may be loaded and nothing may run, whatever a message of a commit says
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def html_page(title: str, blocks: Sequence[Block], *, foot: str = "", lang: str = "en") -> bytes:
    """Return the page as UTF-8 bytes; the same blocks give the same bytes."""
    body = "\n".join(_sections(blocks))
    text = f"""<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{text_of(title)}</title>
<style>
{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
<footer>{text_of(foot)}</footer>
</body>
</html>
"""
    return text.encode("utf-8", "backslashreplace")


def text_of(value: object) -> str:
    """Return text for HTML: markup, control characters and marks that turn the direction of writing are escaped."""
    return escape(safe(value), quote=True)


def _sections(blocks: Sequence[Block]) -> list[str]:
    found: list[str] = []
    open_ = False
    for block in blocks:
        if isinstance(block, Heading) and block.level == 2:
            found += [*(["</section>"] if open_ else []), "<section>"]
            open_ = True
        found.append(_block(block))
    return [*found, *(["</section>"] if open_ else [])]


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{text_of(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f"<p>{_line(block.spans)}</p>"
    if isinstance(block, Tiles):
        return f'<div class="tiles">{"".join(_tile(*tile) for tile in block.tiles)}</div>'
    if isinstance(block, Items):
        return f"<ul>{''.join(_item(block, number) for number in range(len(block.items)))}</ul>"
    if isinstance(block, Figure):
        return _figure(block)
    if isinstance(block, Figures):
        return f'<div class="figures">{"".join(map(_figure, block.figures))}</div>'
    return _grid(block)


def _figure(figure: Figure) -> str:
    title = f"<h3>{text_of(figure.title)}</h3>" if figure.title else ""
    caption = f"<figcaption>{text_of(figure.caption)}</figcaption>" if figure.caption else ""
    return f"<figure>{title}{figure.svg}{caption}</figure>"


def _tile(value: str, label: str, tone: str) -> str:
    tone = f" {tone}" if tone in _TONES else ""
    return f'<div class="tile"><b class="value{tone}">{text_of(value)}</b><span>{text_of(label)}</span></div>'


def _item(block: Items, number: int) -> str:
    below = block.nested[number] if number < len(block.nested) else ()
    nested = f"<ul>{''.join(f'<li>{text_of(text)}</li>' for text in below)}</ul>" if below else ""
    return f"<li>{_line(block.items[number])}{nested}</li>"


def _grid(grid: Grid) -> str:
    if not grid.rows:
        return ""
    head = "".join(f'<th scope="col"{_number(grid, n)}>{text_of(one)}</th>' for n, one in enumerate(grid.head))
    rows = "".join(
        f"<tr>{''.join(f'<td{_number(grid, n)}>{_line(cell)}</td>' for n, cell in enumerate(row))}</tr>\n"
        for row in grid.rows
    )
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>'


def _number(grid: Grid, column: int) -> str:
    return ' class="number"' if column in grid.right else "" if column in grid.wrap else ' class="whole"'


def _line(spans: Line) -> str:
    return "".join(_span(span) for span in spans)


def _span(span: str | tuple[str, str]) -> str:
    if isinstance(span, str):
        return text_of(span)
    return f'<span class="{span[1]}">{text_of(span[0])}</span>' if span[1] in _TONES else text_of(span[0])
