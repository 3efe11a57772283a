"""A night at the clinic: five months of a small model's life, and the night that mlver is for.

Every command shown is really run, every model really trained; nothing here knows the answers.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

from mlver.demo import check_installed
from mlver.demo.night import Night
from mlver.demo.player import Player
from mlver.errors import Refused

SEED = 46
NEXT = (
    ("mlver log --oneline --graph", "the whole history"),
    ("mlver diff v2 night", "what went wrong, on one screen"),
    ("mlver blame prod", "who stands behind every part of what is live"),
    ("mlver lineage prod", "what the live model was made from"),
    ("mlver op log", "every move; mlver undo takes back the last"),
)


def new_folder(parent: Path) -> Path:
    """Return the first of `mlver-demo`, `mlver-demo-2` ... that does not exist in `parent` yet."""
    names = ("mlver-demo" + (f"-{n}" if n > 1 else "") for n in count(1))
    return next(parent / name for name in names if not (parent / name).exists())


def run(folder: Path, pause: bool, seed: int = SEED, *, whole: bool = False) -> int:
    """Play the story in `folder`; returns the exit code.

    Raises UsageError when scikit-learn is missing, Refused when the directory, or one that `whole` needs beside it,
    holds something.
    """
    check_installed()
    player = Player(folder, pause=pause)
    night = Night(player, seed, whole=whole)
    for needed in (folder, *((night.hub, night.colleague, night.taken_out) if whole else ())):
        if needed.exists() and any(needed.iterdir()):
            raise Refused(f"{needed} is not empty", hint="mlver demo OTHER-FOLDER")
    folder.mkdir(parents=True, exist_ok=True)
    play(player, seed, whole=whole)
    player.say("What to try next:")
    for command, what in NEXT:
        player.suggest(command, what)
    player.finish()
    return 0


def play(player: Player, seed: int = SEED, *, whole: bool = False) -> None:
    """Play all acts in the world of `seed`; `whole` with every step, in about two minutes."""
    from mlver.demo.acts import april, changes, february, may, morning, page

    night = Night(player, seed, whole=whole)
    for act in (february, april, changes, page, morning, may):
        act.play(night)
