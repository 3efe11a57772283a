"""`mlver note`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.options import RECORDED
from mlver.cli.session import Session
from mlver.errors import UsageError

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ("mlver note prod 'misses cancers of clinic C' --mark bad", "rollback will not choose it"),
        ("mlver note 'rules/rules.json#R2'", "what is written about this rule?"),
        ("mlver note --grep TRI-31", "search all notes"),
    ],
)
def note(
    session: Session,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TARGET [TEXT]]", help="About what; and what to write.", autocompletion=complete.part),
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="TEXT", help="What to write, instead of TEXT.")
    ] = None,
    grep: Annotated[str | None, typer.Option("--grep", metavar="WORDS", help="Only notes with these words.")] = None,
    mark: Annotated[
        str | None, typer.Option("--mark", metavar="good|bad", help="Judge it, too.", rich_help_panel=RECORDED)
    ] = None,
    ticket: Annotated[
        str | None, typer.Option("--ticket", metavar="ID", help="A ticket.", rich_help_panel=RECORDED)
    ] = None,
) -> None:
    """Write down what was learned about a commit, artifact or unit; without a text, read it.

    Notes never change the commit. `mlver note add TARGET TEXT` and `mlver note ls [TARGET]` are the
    same in more words.
    """
    from mlver.cli.paths import any_target
    from mlver.render.facts import notes_page
    from mlver.verbs.note import add_note, list_notes

    words = list(words or [])
    word = words.pop(0) if words and words[0] in ("add", "ls") else None
    target, text = (words[0] if words else None), " ".join(words[1:])
    if message is not None:
        if text:
            raise UsageError(f"two texts: {text!r} and {message!r}", hint="mlver note TARGET -m TEXT")
        if word == "ls":
            raise UsageError("ls lists notes and writes none", hint="mlver note TARGET -m TEXT")
        word, text = "add", message.strip()
    adding = word == "add" or (word is None and bool(text or mark))
    if adding and (target is None or not (text or mark)):
        raise UsageError("a note needs a target and a text", hint="mlver note HEAD 'what you learned'")
    if not adding and (text or mark or ticket):
        raise UsageError("what should the note say?", hint="mlver note TARGET 'what you learned'")
    with session.open() as repo:
        about = any_target(repo, session.cwd, target) if target is not None else None
        if adding and about is not None:
            result = add_note(repo, about, text or f"marked {mark}", mark=mark, ticket=ticket)
        else:
            result = list_notes(repo, about, grep=grep)
    session.show(result, lambda: notes_page(result), [note.text for note in result.notes])
    if adding:
        session.hint("mlver undo takes it back")
