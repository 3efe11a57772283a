"""Caches whose rows say something else: SQLite finds nothing wrong with the file, so mlver itself has to notice.

Most bytes of a cache are what stands in its rows. A bit that turns there leaves a sound file that says something wrong.
"""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import sleep

from mlver.index.stats import FINE_NS
from tests.fault.rig import NOTHING, Round, Scene
from tests.fault.world import say

_WARMING = ("status", "log --all", "query 'SELECT 1'", "search late", "diff first HEAD", "blame data/t.csv")
_TABLES = """
SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql NOT LIKE '%VIRTUAL%'
"""
_OTHERWISE = """
UPDATE OR IGNORE "{table}" SET "{column}" = CASE typeof("{column}")
    WHEN 'integer' THEN "{column}" + 1
    WHEN 'real' THEN "{column}" * 2
    WHEN 'text' THEN replace(replace("{column}", 'e', 'f'), '1', '2')
    WHEN 'blob' THEN CAST(substr("{column}", 1, length("{column}") - 1) || x'55' AS BLOB)
    ELSE "{column}" END
"""
_AMOUNTS = r"[\d.]+ \w+ packed"  # what seems not to be here is fetched again, and counted as it is


def warm(scene: Scene) -> None:
    """Have every cache filled in all rounds of a scene, that of stat data for the very files that lie there."""
    sleep(2 * FINE_NS / 1e9)  # the files were just laid out: until then their times prove nothing
    for line in _WARMING:
        assert say(scene.root / "repo", *shlex.split(line)).code in (0, *scene.act.also), line
    scene.ground.keep("repo/.mlver/cache")


def columns(path: Path) -> list[tuple[str, str]]:
    """Return every column of a cache, with its table before it; none of a file that is not there."""
    if not path.is_file():
        return []
    with closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute(_TABLES)]
        return [(table, row[1]) for table in tables for row in db.execute(f'PRAGMA table_info("{table}")')]


def change(path: Path, table: str, column: str) -> bool:
    """Let all rows of a table say something else in one column; False when there are none, or they must not."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        before = db.total_changes
        try:
            db.execute(_OTHERWISE.format(table=table, column=column))
        except sqlite3.IntegrityError:
            return False
        return db.total_changes > before


def lying_rounds(scene: Scene, files: tuple[str, ...], only: str = "") -> Iterator[Round]:
    """Give the command with each column of each cache saying something else."""
    cache = scene.root / "repo/.mlver/cache"
    for file in files:
        for table, column in columns(cache / file):
            if only in f"{table}.{column}" and change(cache / file, table, column):
                may_differ = _AMOUNTS if file == "objects.db" else NOTHING
                yield scene.play_as_it_is(f"{file}: another {table}.{column}", may_differ)
