"""The tables of the history index: what `mlver query --schema` prints and docs/spec/index.md documents.

Raise VERSION when a table, or the way its rows are made, changes: then every index is made anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

VERSION: Final = 1

Columns = dict[str, tuple[str, str]]  # name -> (SQLite type, what it says); a BLOB column takes any value as it is
_COMMIT: Final = ("TEXT", "commit, → commits.id")
_STAGE: Final = ("TEXT", "stage")
_SCOPE: Final = ("TEXT", "who is served, such as `clinic=C`; empty for everyone")
_AT: Final = ("TEXT", "when it happened")
_KNOWN: Final = ("TEXT", "when it was recorded here")
_FACT: Final = ("TEXT", "the fact, → facts.id")


@dataclass(frozen=True)
class Table:
    """One table, or a view if it has a `query`. Names that begin with `_` are for the index itself.

    `key` is the primary key, `indexes` are further indexes, `links` are columns that lead to `table.column`.
    """

    name: str
    about: str
    columns: Columns
    key: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    links: dict[str, tuple[str, str]] = field(default_factory=dict)
    query: str | None = None

    @property
    def hidden(self) -> bool:
        """Whether people need not know of it."""
        return self.name.startswith("_")


_TO_COMMITS = {"commit_id": ("commits", "id")}

_COMMITS: Final = (
    Table(
        "commits",
        "Every commit that a branch, tag, stage or HEAD ever led to.",
        {
            "id": ("TEXT", "64 hex digits"),
            "number": ("INTEGER", "in the order in which they came here; parents before children"),
            "author": ("TEXT", "who committed"),
            "time": ("TEXT", "when"),
            "subject": ("TEXT", "first line of the message"),
            "message": ("TEXT", "the whole message"),
            "why": ("TEXT", "the stated reason, else the subject"),
            "reachable": ("INTEGER", "1 if a branch, tag, stage or HEAD leads to it now; 0 after an undo"),
            "tree": ("TEXT", "id of the root folder"),
            "environment_id": ("TEXT", "→ environments.id"),
            "git_commit": ("TEXT", "commit of the git work tree around it"),
            "git_branch": ("TEXT", "its branch"),
            "parameters": ("TEXT", "JSON"),
            "_compared": ("INTEGER", "whether its units are in units_changed"),
        },
        key=("id",),
        indexes=(("number",), ("time",)),
    ),
    Table(
        "parents",
        "Which commit follows which. A merge has several parents.",
        {"commit_id": _COMMIT, "parent_id": ("TEXT", "→ commits.id"), "position": ("INTEGER", "0 is the first")},
        key=("commit_id", "position"),
        indexes=(("parent_id",),),
        links={**_TO_COMMITS, "parent_id": ("commits", "id")},
    ),
    Table(
        "trailers",
        "Reason, ticket, alert and other trailers of commits, one a row.",
        {"commit_id": _COMMIT, "name": ("TEXT", "`why`, `ticket`, `alert` ..."), "value": ("TEXT", "what it says")},
        indexes=(("commit_id",), ("name", "value")),
        links=_TO_COMMITS,
    ),
    Table(
        "refs",
        "What names a commit now: HEAD, branches, tags, stages.",
        {
            "name": ("TEXT", "`main`, `v2`, `prod`, `prod/clinic=C`"),
            "type": ("TEXT", "`HEAD`, `branch`, `remote branch`, `tag` or `stage`"),
            "commit_id": _COMMIT,
        },
        key=("name", "type"),
        links=_TO_COMMITS,
    ),
    Table(
        "environments",
        "Interpreters and platforms commits and derivations were made with.",
        {
            "id": ("TEXT", "64 hex digits"),
            "python": ("TEXT", "version"),
            "implementation": ("TEXT", "`CPython`"),
            "platform": ("TEXT", "`Linux x86_64`"),
        },
        key=("id",),
    ),
    Table(
        "packages",
        "What was installed in an environment.",
        {"environment_id": ("TEXT", "→ environments.id"), "name": ("TEXT", "package"), "version": ("TEXT", "version")},
        key=("environment_id", "name"),
        links={"environment_id": ("environments", "id")},
    ),
)

_ARTIFACTS: Final = (
    Table(
        "_versions",
        "Each distinct (path, kind, bytes, settings) once.",
        {
            "number": ("INTEGER", ""),
            "path": ("TEXT", ""),
            "type": ("TEXT", ""),
            "kind": ("TEXT", ""),
            "id": ("TEXT", ""),
            "size": ("INTEGER", ""),
            "spec": ("TEXT", ""),
            "problem": ("TEXT", ""),
        },
        key=("number",),
        indexes=(("path",), ("id",)),
    ),
    Table(
        "_held",
        "Which commit holds which versions.",
        {"commit_number": ("INTEGER", ""), "version": ("INTEGER", "")},
        key=("commit_number", "version"),
        indexes=(("version",),),
    ),
    Table(
        "_rules",
        "Rules by version of their file.",
        {
            "version": ("INTEGER", ""),
            "position": ("INTEGER", ""),
            "id": ("TEXT", ""),
            "owner": ("TEXT", ""),
            "why": ("TEXT", ""),
            "fields": ("TEXT", ""),
        },
        key=("version", "position"),
        indexes=(("id",),),
    ),
    Table(
        "_file_metrics",
        "Numbers by version of their metrics file.",
        {
            "version": ("INTEGER", ""),
            "name": ("TEXT", ""),
            "slice": ("TEXT", ""),
            "value": ("BLOB", ""),
            "n": ("INTEGER", ""),
        },
        indexes=(("version",), ("name",)),
    ),
    Table(
        "artifacts",
        "Every file of every commit.",
        {
            "commit_id": _COMMIT,
            "path": ("TEXT", "`rules/rules.json`"),
            "kind": ("TEXT", "`data`, `model`, `rules`, `metrics`, `alerts`, `config`, `code` or `file`"),
            "id": ("TEXT", "content id: what `b3sum` prints"),
            "size": ("INTEGER", "bytes"),
            "problem": ("TEXT", "why rules or metrics in it cannot be read; else null"),
        },
        query="SELECT c.id AS commit_id, v.path, v.kind, v.id, v.size, v.problem FROM commits c "
        "JOIN _held h ON h.commit_number = c.number JOIN _versions v ON v.number = h.version",
    ),
    Table(
        "rules",
        "Every rule of every commit.",
        {
            "commit_id": _COMMIT,
            "path": ("TEXT", "the file it stands in"),
            "id": ("TEXT", "its id"),
            "owner": ("TEXT", "its owner"),
            "why": ("TEXT", "its reason"),
            "fields": ("TEXT", "the whole rule, JSON"),
            "position": ("INTEGER", "its place in the file, from 0"),
        },
        query="SELECT c.id AS commit_id, v.path, r.id, r.owner, r.why, r.fields, r.position FROM _rules r "
        "JOIN _versions v ON v.number = r.version JOIN _held h ON h.version = v.number "
        "JOIN commits c ON c.number = h.commit_number",
    ),
    Table(
        "changes",
        "Which artifacts a commit changed against its first parent.",
        {
            "commit_id": _COMMIT,
            "path": ("TEXT", "the artifact"),
            "kind": ("TEXT", "its kind"),
            "change": ("TEXT", "`added`, `removed`, `modified` or `renamed`"),
            "was": ("TEXT", "old path of a renamed one"),
            "old_id": ("TEXT", "content id before"),
            "new_id": ("TEXT", "content id after"),
            "old_size": ("INTEGER", "bytes before"),
            "new_size": ("INTEGER", "bytes after"),
            "units_added": ("INTEGER", "how many units it gained; null when they were not compared"),
            "units_removed": ("INTEGER", "how many it lost"),
            "units_changed": ("INTEGER", "how many changed"),
            "listed": ("INTEGER", "1 if units_changed lists them all, 0 if only the first of them, or none"),
            "note": ("TEXT", "why units were not compared: too large, not readable"),
        },
        key=("commit_id", "path"),
        indexes=(("path",),),
        links=_TO_COMMITS,
    ),
    Table(
        "units_changed",
        "What changed inside: rows, tensors, rules, values, keys, lines.",
        {
            "commit_id": _COMMIT,
            "path": ("TEXT", "the artifact"),
            "kind": ("TEXT", "its kind"),
            "unit": ("TEXT", "`R2`, `impute`, `P0404`"),
            "change": ("TEXT", "`added`, `removed` or `changed`"),
            "old": ("TEXT", "value before, JSON; of a row or rule that changed, the fields that differ"),
            "new": ("TEXT", "value after, JSON"),
            "cut": ("INTEGER", "1 if a value was too long: then `old` or `new` is a text, its beginning"),
        },
        indexes=(("commit_id", "path"), ("path", "unit")),
        links=_TO_COMMITS,
    ),
)

_MADE: Final = (
    Table(
        "derivations",
        "How artifacts were made: recorded runs and declared steps.",
        {
            "id": ("TEXT", "64 hex digits"),
            "source": ("TEXT", "`run`, `api` or `declared`"),
            "name": ("TEXT", "name of the step"),
            "command": ("TEXT", "words of the command, JSON"),
            "parameters": ("TEXT", "JSON"),
            "environment_id": ("TEXT", "→ environments.id"),
            "started": ("TEXT", "when"),
            "seconds": ("REAL", "wall time"),
            "exit": ("INTEGER", "status of the command"),
            "observed": ("INTEGER", "1 if the inputs are what was seen to be read"),
        },
        key=("id",),
    ),
    Table(
        "derivation_files",
        "What a derivation read and wrote.",
        {
            "derivation_id": ("TEXT", "→ derivations.id"),
            "role": ("TEXT", "`input` or `output`"),
            "path": ("TEXT", "the artifact"),
            "kind": ("TEXT", "its kind"),
            "id": ("TEXT", "content id"),
        },
        indexes=(("derivation_id",), ("id",)),
        links={"derivation_id": ("derivations", "id")},
    ),
    Table(
        "made",
        "Which derivation an artifact of a commit carries.",
        {"commit_id": _COMMIT, "path": ("TEXT", "the artifact"), "derivation_id": ("TEXT", "→ derivations.id")},
        key=("commit_id", "path"),
        indexes=(("derivation_id",),),
        links={**_TO_COMMITS, "derivation_id": ("derivations", "id")},
    ),
)

_STATE: Final = (
    Table(
        "operations",
        "Every change of the repository's state.",
        {
            "number": ("INTEGER", "from 0"),
            "id": ("TEXT", "64 hex digits"),
            "time": ("TEXT", "when"),
            "actor": ("TEXT", "who"),
            "command": ("TEXT", "the command"),
            "reason": ("TEXT", "why, if said"),
            "undoes": ("TEXT", "the operation it takes back"),
            "head": ("TEXT", "commit HEAD named afterwards"),
        },
        key=("number",),
    ),
    Table(
        "deployments",
        "The ledger of all stages: what was live when, for whom, by whom and why.",
        {
            "stage": _STAGE,
            "scope": _SCOPE,
            "commit_id": _COMMIT,
            "since": ("TEXT", "from when on"),
            "until": ("TEXT", "until when; null: still is"),
            "percent": ("INTEGER", "share of the traffic it gets"),
            "actor": ("TEXT", "who made it live"),
            "action": ("TEXT", "`promote` or `rollback`"),
            "reason": ("TEXT", "why"),
            "release": ("TEXT", "folder of the released files"),
            "evidence": ("TEXT", "what was known then, JSON"),
            "operation_id": ("TEXT", "→ operations.id"),
        },
        indexes=(("stage", "scope"), ("commit_id",)),
        links=_TO_COMMITS,
    ),
)

_LEARNED: Final = (
    Table(
        "facts",
        "All that was learned later, of every type, as recorded.",
        {
            "id": ("TEXT", "64 hex digits"),
            "type": ("TEXT", "`metric`, `alert`, `action`, `note`, `mark` ..."),
            "at": _AT,
            "known": _KNOWN,
            "by": ("TEXT", "who recorded it"),
            "commit_id": _COMMIT,
            "path": ("TEXT", "the artifact it is about"),
            "unit": ("TEXT", "the unit"),
            "stage": _STAGE,
            "scope": _SCOPE,
            "alert_id": ("TEXT", "→ alerts.id"),
            "body": ("TEXT", "what it says, JSON"),
        },
        key=("id",),
        indexes=(("type",), ("commit_id",), ("alert_id",)),
    ),
    Table(
        "_batches",
        "Which links of the fact log are in.",
        {"id": ("TEXT", "")},
        key=("id",),
    ),
    Table(
        "_recorded_metrics",
        "Metric values of the fact log.",
        {
            "number": ("INTEGER", ""),
            "commit_id": ("TEXT", ""),
            "name": ("TEXT", ""),
            "slice": ("TEXT", ""),
            "value": ("BLOB", ""),
            "n": ("INTEGER", ""),
            "dataset": ("TEXT", ""),
            "dataset_id": ("TEXT", ""),
            "as_of": ("TEXT", ""),
            "known": ("TEXT", ""),
            "by": ("TEXT", ""),
            "fact_id": ("TEXT", ""),
        },
        key=("number",),
        indexes=(("commit_id", "name", "slice"), ("name",)),
    ),
    Table(
        "metrics",
        "Every metric value of every commit: recorded, or in its metrics files.",
        {
            "commit_id": _COMMIT,
            "name": ("TEXT", "`recall`"),
            "slice": ("TEXT", "`clinic=C`; empty for everything"),
            "value": ("BLOB", "a number; null is unknown; `NaN` and infinities are text"),
            "n": ("INTEGER", "sample size"),
            "dataset": ("TEXT", "path of what it was measured on"),
            "dataset_id": ("TEXT", "content id of that"),
            "as_of": ("TEXT", "on which labels it rests"),
            "known": _KNOWN,
            "by": ("TEXT", "who recorded it"),
            "path": ("TEXT", "the metrics file it stands in; null for a recorded one"),
            "fact_id": _FACT,
        },
        query="SELECT commit_id, name, slice, value, n, dataset, dataset_id, as_of, known, by, NULL AS path, fact_id "
        "FROM _recorded_metrics UNION ALL SELECT c.id, m.name, m.slice, m.value, m.n, NULL, NULL, c.time, c.time, "
        "c.author, v.path, NULL FROM _file_metrics m JOIN _versions v ON v.number = m.version "
        "JOIN _held h ON h.version = v.number JOIN commits c ON c.number = h.commit_number",
    ),
    Table(
        "latest_metrics",
        "Of every commit, metric, slice and dataset the recorded value that counts now.",
        {
            "commit_id": _COMMIT,
            "name": ("TEXT", "`recall`"),
            "slice": ("TEXT", "`clinic=C`; empty for everything"),
            "value": ("BLOB", "a number; null is unknown; `NaN` and infinities are text"),
            "n": ("INTEGER", "sample size"),
            "dataset": ("TEXT", "path of what it was measured on"),
            "dataset_id": ("TEXT", "content id of that"),
            "as_of": ("TEXT", "on which labels it rests: the newest"),
            "known": _KNOWN,
            "by": ("TEXT", "who recorded it"),
            "fact_id": _FACT,
        },
        query="SELECT commit_id, name, slice, value, n, dataset, dataset_id, as_of, known, by, fact_id FROM (SELECT *, "
        "row_number() OVER (PARTITION BY commit_id, name, slice, dataset ORDER BY as_of DESC, known DESC, number DESC) "
        "AS place FROM _recorded_metrics) WHERE place = 1",
    ),
    Table(
        "alerts",
        "Every alert, and how it stands: recorded, or in the alert files of HEAD.",
        {
            "id": ("TEXT", "`A0088`"),
            "type": ("TEXT", "`flag_rate_drop.clinic`"),
            "severity": ("TEXT", "`warn`, `page` ..."),
            "state": ("TEXT", "`open`, or the outcome of the last action"),
            "at": ("TEXT", "when it fired"),
            "stage": _STAGE,
            "scope": _SCOPE,
            "commit_id": ("TEXT", "what was live then, → commits.id"),
            "summary": ("TEXT", "one line for people"),
            "actions": ("INTEGER", "how often something was done about it"),
            "source": ("TEXT", "`log` if recorded, `file` if it stands in a file alone"),
        },
        key=("id",),
        indexes=(("type",), ("commit_id",)),
    ),
    Table(
        "alert_events",
        "What became of alerts: when they fired, and every action.",
        {
            "alert_id": ("TEXT", "→ alerts.id"),
            "event": ("TEXT", "`fired`, `acted`, `acked`, `false-positive`, `ignored`, `resolved`"),
            "at": _AT,
            "by": ("TEXT", "who did it"),
            "did": ("TEXT", "what was done"),
            "ticket": ("TEXT", "its ticket"),
            "commit_id": ("TEXT", "the commit the action produced, → commits.id"),
        },
        indexes=(("alert_id",), ("event",)),
        links={"alert_id": ("alerts", "id")},
    ),
    Table(
        "notes",
        "Notes and marks.",
        {
            "type": ("TEXT", "`note` or `mark`"),
            "mark": ("TEXT", "`good` or `bad`"),
            "text": ("TEXT", "what somebody wrote"),
            "ticket": ("TEXT", "its ticket"),
            "commit_id": _COMMIT,
            "path": ("TEXT", "the artifact it is about"),
            "unit": ("TEXT", "the unit"),
            "at": _AT,
            "known": _KNOWN,
            "by": ("TEXT", "who wrote it"),
            "fact_id": _FACT,
        },
        indexes=(("commit_id",),),
    ),
)

_TEXTS: Final = (
    Table(
        "texts",
        "Whatever people wrote, for full-text search.",
        {
            "number": ("INTEGER", "the row of `search`"),
            "text": ("TEXT", "the text"),
            "source": ("TEXT", "`commit`, `trailer`, `operation`, `rule`, `alert`, `action`, `note`, `mark` ..."),
            "about": ("TEXT", "path, unit, stage, ticket or alert it is about"),
            "commit_id": ("TEXT", "commit it is about, → commits.id"),
            "at": _AT,
            "by": ("TEXT", "who wrote it"),
        },
        key=("number",),
        indexes=(("source", "about"),),
    ),
)

_INTERNAL: Final = (
    Table("_state", "How far the index has come.", {"name": ("TEXT", ""), "value": ("TEXT", "")}, key=("name",)),
)

TABLES: Final = (*_COMMITS, *_ARTIFACTS, *_MADE, *_STATE, *_LEARNED, *_TEXTS, *_INTERNAL)

SEARCH: Final = Table(
    "search",
    "Full-text index (FTS5) of `texts`: `SELECT * FROM search('scanner') ORDER BY rank`.",
    {name: said for name, said in _TEXTS[0].columns.items() if name != "number"},
)


def public_tables() -> list[Table]:
    """Return the tables and views that questions are asked of."""
    return [*(table for table in TABLES if not table.hidden), SEARCH]
