"""What `branch` and `tag` have in common."""

from __future__ import annotations

from mlver.cli.session import Session
from mlver.errors import UsageError


def name_or_list(session: Session, type: str, name: str | None, rev: str | None, *, delete: bool, force: bool) -> None:
    """List the names of `type`, or make, move or delete one."""
    from mlver.render.refs import ref_moved_page, refs_page
    from mlver.verbs.branch import delete_ref, list_refs, set_ref

    if name is None and (delete or force):
        raise UsageError(f"which {type}?", hint=f"mlver {type}")
    if delete and (rev or force):
        raise UsageError(f"a {type} is either made or deleted", hint=f"mlver {type} -d {name}")
    with session.open() as repo:
        if name is None:
            listed = list_refs(repo, type)
            session.show(listed, lambda: refs_page(listed), [ref.name for ref in listed.refs])
            return
        moved = delete_ref(repo, type, name) if delete else set_ref(repo, type, name, rev or "HEAD", force=force)
    session.show(moved, lambda: ref_moved_page(moved), [moved.name])
    if moved.old != moved.new:
        session.hint("mlver undo takes it back")
