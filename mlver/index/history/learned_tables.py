"""Tables of what was done and learned: operations, the ledger, facts, metrics, alerts, notes, texts."""

from __future__ import annotations

from typing import Final

from mlver.index.history.table import AT, COMMIT, FACT, KNOWN, SCOPE, STAGE, TO_COMMITS, Table

STATE: Final = (
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
            "stage": STAGE,
            "scope": SCOPE,
            "commit_id": COMMIT,
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
        links=TO_COMMITS,
    ),
)

LEARNED: Final = (
    Table(
        "facts",
        "All that was learned later, of every type, as recorded.",
        {
            "id": ("TEXT", "64 hex digits"),
            "type": ("TEXT", "`metric`, `alert`, `action`, `note`, `mark` ..."),
            "at": AT,
            "known": KNOWN,
            "by": ("TEXT", "who recorded it"),
            "commit_id": COMMIT,
            "path": ("TEXT", "the artifact it is about"),
            "unit": ("TEXT", "the unit"),
            "stage": STAGE,
            "scope": SCOPE,
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
            "window": ("TEXT", ""),
            "estimate": ("INTEGER", ""),
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
            "commit_id": COMMIT,
            "name": ("TEXT", "`recall`"),
            "slice": ("TEXT", "`clinic=C`; empty for everything"),
            "value": ("BLOB", "a number; null is unknown; `NaN` and infinities are text"),
            "n": ("INTEGER", "sample size"),
            "dataset": ("TEXT", "path of what it was measured on"),
            "dataset_id": ("TEXT", "content id of that"),
            "window": ("TEXT", "stretch of time it covers, `7d`"),
            "estimate": ("INTEGER", "1 if it was estimated and not measured"),
            "as_of": ("TEXT", "on which labels it rests"),
            "known": KNOWN,
            "by": ("TEXT", "who recorded it"),
            "path": ("TEXT", "the metrics file it stands in; null for a recorded one"),
            "fact_id": FACT,
        },
        query="SELECT commit_id, name, slice, value, n, dataset, dataset_id, window, estimate, as_of, known, by, "
        "NULL AS path, fact_id FROM _recorded_metrics UNION ALL "
        "SELECT c.id, m.name, m.slice, m.value, m.n, NULL, NULL, NULL, 0, c.time, c.time, c.author, v.path, NULL "
        "FROM _file_metrics m JOIN _versions v ON v.number = m.version JOIN _held h ON h.version = v.number "
        "JOIN commits c ON c.number = h.commit_number",
    ),
    Table(
        "latest_metrics",
        "Of every commit, metric, slice, dataset and window the recorded value that counts now.",
        {
            "commit_id": COMMIT,
            "name": ("TEXT", "`recall`"),
            "slice": ("TEXT", "`clinic=C`; empty for everything"),
            "value": ("BLOB", "a number; null is unknown; `NaN` and infinities are text"),
            "n": ("INTEGER", "sample size"),
            "dataset": ("TEXT", "path of what it was measured on"),
            "dataset_id": ("TEXT", "content id of that"),
            "window": ("TEXT", "stretch of time it covers, `7d`"),
            "estimate": ("INTEGER", "1 if it was estimated and not measured"),
            "as_of": ("TEXT", "on which labels it rests: the newest"),
            "known": KNOWN,
            "by": ("TEXT", "who recorded it"),
            "fact_id": FACT,
        },
        query="SELECT commit_id, name, slice, value, n, dataset, dataset_id, window, estimate, as_of, known, by, "
        "fact_id FROM (SELECT *, row_number() OVER (PARTITION BY commit_id, name, slice, dataset, window, estimate "
        "ORDER BY as_of DESC, known DESC, number DESC) AS place FROM _recorded_metrics) WHERE place = 1",
    ),
    Table(
        "alerts",
        "Every alert, and how it stands: recorded, or in the alert files of HEAD.",
        {
            "id": ("TEXT", "`A0088`"),
            "type": ("TEXT", "`flag_rate_drop.clinic`"),
            "severity": ("TEXT", "`warn`, `page` ..."),
            "state": ("TEXT", "outcome of the last action; `open` as long as nobody recorded one"),
            "at": ("TEXT", "when it fired"),
            "stage": STAGE,
            "scope": SCOPE,
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
            "at": AT,
            "by": ("TEXT", "who did it"),
            "did": ("TEXT", "what was done"),
            "reason": ("TEXT", "why it was false or ignored"),
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
            "commit_id": COMMIT,
            "path": ("TEXT", "the artifact it is about"),
            "unit": ("TEXT", "the unit"),
            "at": AT,
            "known": KNOWN,
            "by": ("TEXT", "who wrote it"),
            "fact_id": FACT,
        },
        indexes=(("commit_id",),),
    ),
)

TEXTS: Final = (
    Table(
        "texts",
        "Whatever people wrote, for full-text search.",
        {
            "number": ("INTEGER", "the row of `search`"),
            "text": ("TEXT", "the text"),
            "source": ("TEXT", "`commit`, `trailer`, `operation`, `rule`, `alert`, `action`, `note`, `mark` ..."),
            "about": ("TEXT", "path, unit, stage, ticket or alert it is about"),
            "commit_id": ("TEXT", "commit it is about, → commits.id"),
            "at": AT,
            "by": ("TEXT", "who wrote it"),
        },
        key=("number",),
        indexes=(("source", "about"),),
    ),
)
