"""`mlver fsck`."""

from __future__ import annotations

from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    examples=[
        ("mlver fsck", "is every byte as it was written?"),
        ("mlver fsck --json | jq '.problems[].hurts'", "what does the damage hurt?"),
    ],
    exits={5: "damage found"},
)
def fsck(session: Session) -> int:
    """Read every byte, name what is damaged and say what that hurts.

    Changes nothing. Damaged bytes are never deleted: other copies of the same object can heal them.
    """
    from mlver.errors import Damaged
    from mlver.render.house import fsck_page
    from mlver.verbs.fsck import fsck

    with session.open(salvage=True) as repo, session.progress() as progress:
        result = fsck(repo, progress=progress)
    session.show(result, lambda: fsck_page(result), [problem.what for problem in result.problems])
    if not result.ok:
        session.hint("mlver repair -n says what can be mended")
    return 0 if result.ok else Damaged.exit_code
