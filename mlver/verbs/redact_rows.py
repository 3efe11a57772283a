"""Rows to be redacted: each version of a table without them, and other tables that have such rows too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from mlver.errors import NegativeAnswer, Refused, UsageError
from mlver.frozen import frozen
from mlver.kinds.base import CannotEdit, Spec, Unreadable
from mlver.objects.ids import BlobId, CommitId
from mlver.repo.holdings import Held, Holdings
from mlver.repo.repository import Repository
from mlver.repo.snapshot import BlobSource, artifact_spec
from mlver.verbs.redact_result import OtherTable

TABLE = "data"
_AT_ONCE = 500  # values in one `in (...)`


@frozen
class Rest:
    """What is read in the place of one version: its id and length, and how many rows it has less."""

    id: BlobId
    length: int
    rows: int


@frozen
class RowPlan:
    """By version what is left of it. `unread` could not be asked, or not be written, each with the reason."""

    rests: Mapping[BlobId, Rest]
    unread: tuple[str, ...] = ()
    blocked: int = 0


def condition_of(rows: str | None, keys: Mapping[str, Sequence[str]] | None) -> str | None:
    """Return the condition that rows have to meet, None when none was given; UsageError for two, or for no value."""
    if not keys:
        return rows
    if rows is not None:
        raise UsageError("rows by a condition or by keys, not both")
    tests = []
    for column, values in keys.items():
        if not values:
            raise UsageError(f"no value of {column} is given")
        quoted = ["'" + value.replace("'", "''") + "'" for value in values]
        name = f"`{column}`" if '"' in column else f'"{column}"'
        tests += [f"{name} in ({', '.join(quoted[at : at + _AT_ONCE])})" for at in range(0, len(quoted), _AT_ONCE)]
    return " or ".join(tests)


def rows_to_drop(repo: Repository, held: Collection[Held], where: str, keep: Callable[[bytes], BlobId]) -> RowPlan:
    """Return what is left of each version of some tables that has rows which meet a condition; `keep` gets its bytes.

    Raises UsageError when the condition fits no version, NegativeAnswer when no row of any meets it.
    """
    from mlver.kinds.tables.drop_rows import drop_rows

    gone = repo.redactions()
    tables = [one for one in held if one.id not in gone and one.kind == TABLE]
    if not tables:
        raise UsageError(f"no table: {', '.join(sorted({one.path for one in held})[:3])}", hint="leave --rows out")
    rests: dict[BlobId, Rest] = {}
    unread: list[str] = []
    wrong: list[UsageError] = []
    blocked = 0
    for one in tables:
        try:
            left = drop_rows(_source(repo, one), _spec(repo, one.path), where)
        except UsageError as error:  # an older schema, say
            wrong.append(error)
            unread.append(f"{one.path} ({one.id.short}): {error.message}")
            continue
        except (Unreadable, CannotEdit) as error:
            blocked += 1
            unread.append(f"{one.path} ({one.id.short}): {error}")
            continue
        if left is not None:
            rests[one.id] = Rest(keep(left.data), len(left.data), left.rows)
    if len(wrong) == len(tables):
        raise wrong[0]
    if not rests and not blocked:
        versions = f"{len(tables)} version{'s' * (len(tables) != 1)}"
        raise NegativeAnswer(f"no row of {tables[0].path} meets this, in {versions}")
    return RowPlan(rests, tuple(unread), blocked)


def refuse_blocked(plan: RowPlan) -> None:
    """Raise Refused when some versions could not be looked into, or not be written: nothing may seem to be gone."""
    if plan.blocked:
        more = f" (and {plan.blocked - 1} more)" if plan.blocked > 1 else ""
        raise Refused(
            f"nothing was removed: {plan.unread[0]}{more}", hint="mlver redact ID --why REASON removes a version whole"
        )


def other_tables(
    repo: Repository, holdings: Holdings, chosen: Collection[BlobId], where: str
) -> tuple[OtherTable, ...]:
    """Return the tables with rows that meet a condition and stay: of each the newest version that has any."""
    from mlver.kinds.tables.drop_rows import count_rows

    gone = repo.redactions()
    counts: dict[BlobId, int] = {}
    newest: dict[str, tuple[CommitId, BlobId]] = {}
    for id, _ in sorted(holdings.commits.items(), key=lambda pair: (pair[1].time, pair[0])):
        for held in holdings.paths_in(id):
            if held.kind != TABLE or held.id in chosen or held.id in gone:
                continue
            if held.id not in counts:
                try:
                    counts[held.id] = count_rows(_source(repo, held), _spec(repo, held.path), where)
                except (UsageError, Unreadable):  # it has no such column
                    counts[held.id] = 0
            if counts[held.id]:
                newest[held.path] = (id, held.id)
    return tuple(OtherTable(path, commit, counts[blob]) for path, (commit, blob) in sorted(newest.items()))


def _source(repo: Repository, held: Held) -> BlobSource:
    return BlobSource(held.path, held.size, lambda: repo.store.open_blob(held.id))


def _spec(repo: Repository, path: str) -> Spec:
    return artifact_spec(repo.head_snapshot().project, path, TABLE)
