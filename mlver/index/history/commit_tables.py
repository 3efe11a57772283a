"""Tables of what was committed: commits, artifacts, what changed, how things were made."""

from __future__ import annotations

from typing import Final

from mlver.index.history.table import COMMIT, TO_COMMITS, Table

COMMITS: Final = (
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
        {"commit_id": COMMIT, "parent_id": ("TEXT", "→ commits.id"), "position": ("INTEGER", "0 is the first")},
        key=("commit_id", "position"),
        indexes=(("parent_id",),),
        links={**TO_COMMITS, "parent_id": ("commits", "id")},
    ),
    Table(
        "trailers",
        "Reason, ticket, alert and other trailers of commits, one a row.",
        {"commit_id": COMMIT, "name": ("TEXT", "`why`, `ticket`, `alert` ..."), "value": ("TEXT", "what it says")},
        indexes=(("commit_id",), ("name", "value")),
        links=TO_COMMITS,
    ),
    Table(
        "refs",
        "What names a commit now: HEAD, branches, tags, stages.",
        {
            "name": ("TEXT", "`main`, `v2`, `prod`, `prod/clinic=C`"),
            "type": ("TEXT", "`HEAD`, `branch`, `remote branch`, `tag` or `stage`"),
            "commit_id": COMMIT,
        },
        key=("name", "type"),
        links=TO_COMMITS,
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

ARTIFACTS: Final = (
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
            "commit_id": COMMIT,
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
            "commit_id": COMMIT,
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
            "commit_id": COMMIT,
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
        links=TO_COMMITS,
    ),
    Table(
        "units_changed",
        "What changed inside: rows, tensors, rules, values, keys, lines.",
        {
            "commit_id": COMMIT,
            "path": ("TEXT", "the artifact"),
            "kind": ("TEXT", "its kind"),
            "unit": ("TEXT", "`R2`, `impute`, `P0404`"),
            "change": ("TEXT", "`added`, `removed` or `changed`"),
            "old": ("TEXT", "value before, JSON; of a row or rule that changed, the fields that differ"),
            "new": ("TEXT", "value after, JSON"),
            "cut": ("INTEGER", "1 if a value was too long: then `old` or `new` is a text, its beginning"),
        },
        indexes=(("commit_id", "path"), ("path", "unit")),
        links=TO_COMMITS,
    ),
)

MADE: Final = (
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
        {"commit_id": COMMIT, "path": ("TEXT", "the artifact"), "derivation_id": ("TEXT", "→ derivations.id")},
        key=("commit_id", "path"),
        indexes=(("derivation_id",),),
        links={**TO_COMMITS, "derivation_id": ("derivations", "id")},
    ),
)
