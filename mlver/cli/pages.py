"""Documents as answers: text, Markdown, or one HTML file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlver.cli.session import Session
from mlver.errors import Refused, UsageError

if TYPE_CHECKING:
    from mlver.objects.result import Result
    from mlver.render.document import Block


def show_document(
    session: Session,
    result: Result,
    blocks: Callable[[], Sequence[Block]],
    *,
    title: str,
    html: Path | None = None,
    md: bool = False,
    foot: str = "",
) -> None:
    """Answer with a document; `html` also writes it to a file, which is then named instead of shown."""
    from mlver.render.document import text_page
    from mlver.render.document_md import markdown_page

    if html is not None:
        from mlver.render.html.page import html_page
        from mlver.render.lines import line

        target = write_out(session, html, html_page(title, blocks(), foot=foot))
        session.show(result, lambda: line("wrote ", (str(html), "path")), [target])
    elif md:
        session.show(result, lambda: markdown_page(blocks()))
    else:
        session.show(result, lambda: text_page(blocks()))


def write_out(session: Session, path: Path, data: bytes) -> Path:
    """Write a file of the user's choice, whole or not at all; Refused inside of .mlver, UsageError for no folder."""
    from mlver.storage import durable

    target = out_path(session, path)
    durable.write_file(target, data, sync=False)
    return target


def out_path(session: Session, path: Path) -> Path:
    """Return where a file of the user's choice goes; Refused inside of .mlver, UsageError when it cannot be there."""
    target = session.cwd / path
    if not target.parent.is_dir():
        raise UsageError(f"no such folder: {path.parent}")
    if target.is_dir():
        raise UsageError(f"{path} is a folder", hint="name a file")
    if ".mlver" in target.resolve().parts:
        raise Refused(f"{path} belongs to mlver itself", hint="choose a place outside of .mlver")
    return target
