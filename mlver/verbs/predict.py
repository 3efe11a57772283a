"""`diff A B --predict DATA`: both versions predict the same rows; what flipped, where, for better or worse.

The one verb that runs what a repository holds, and only because somebody asked for it: the user's own command in
scratch folders (`serve`), or the model itself, walled in (see docs/design/behaviour.md). `diff` never comes here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.repo.measuring import CommandFailed
from mlver.repo.predictions import Predicted, read_predictions
from mlver.repo.repository import Repository
from mlver.repo.scratch import filled, scratch
from mlver.repo.snapshot import Artifact, Snapshot
from mlver.verbs.ablation_runs import laid
from mlver.verbs.common import Progress
from mlver.verbs.diff_result import Side
from mlver.verbs.predict_count import Counted, Row, amounts
from mlver.verbs.predict_data import PredictedTable
from mlver.verbs.predict_model import chosen_models, run_model
from mlver.verbs.predict_result import PredictDiffResult, RanSide
from mlver.verbs.rule_data import DataVersion, find_data

__all__ = ["TIMEOUT", "PredictDiffResult", "predict_diff"]

TIMEOUT = 300.0  # seconds for one side


@frozen
class _Version:
    """One side: its files, and how to call it."""

    side: Side
    snapshot: Snapshot


def predict_diff(
    repo: Repository,
    old: str,
    new: str | None,
    data: str,
    *,
    serve: Sequence[str] = (),
    lay: Sequence[str] = (),
    model: str | None = None,
    trust: bool = False,
    label: str | None = None,
    labels: Sequence[str] = (),
    by: Sequence[str] = (),
    tolerance: float | None = None,
    limit: int = 10,
    timeout: float = TIMEOUT,
    environment: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> PredictDiffResult:
    """Have two revisions (`new` None: the work tree) predict a table, and return which predictions differ.

    With `serve` the user's command runs in a scratch folder of each, `lay` (`PATH`, `PATH@REV`) laid over it; it
    predicts each row of `{data}` (see repo/predictions.py). Without, the model file of each side predicts, in a
    process that can only compute: `model` names it when there are several, `trust` is needed when its verdict is
    `unknown`, and nothing runs one that `runs code`. `label` is a column of the data, or of the files `labels`.
    `by` are columns to slice by. Amounts differ when more than `tolerance` apart (0). Neither work tree nor
    repository changes. Raises CommandFailed or CannotPredict when a side gives no answer, Refused, UsageError.
    """
    if not timeout > 0:
        raise UsageError(f"a time limit is longer than nothing: {timeout}")
    if tolerance is not None and not tolerance >= 0:
        raise UsageError(f"a tolerance is at least 0: {tolerance}")
    versions = (_version(repo, old), _version(repo, new))
    table = PredictedTable(find_data(repo, data, new), label, own=not labels)
    slices = table.slices(repo, by)
    known = table.labels(repo, labels, new)
    columns: tuple[str, ...] = ()
    if serve:
        filled(serve, {"data": table.data.path, "out": table.data.path})
        others = [find_data(repo, text, new) for text in lay]
        sides: list[RanSide] = []
        said: list[Mapping[str, Predicted]] = []
        for number, version in enumerate(versions):
            if progress:
                progress(number, 2, f"serving {version.side.name}")
            said.append(_served(repo, version, table, others, serve, timeout, environment))
            sides.append(RanSide(version.side))
    elif lay:
        raise UsageError("files are laid over a revision for a command", hint="--serve 'python predict.py {data}'")
    else:
        sides, said, columns = _by_models(versions, table, model, trust, timeout, progress)
    return _result(table, (sides[0], sides[1]), (said[0], said[1]), known, slices, tolerance, limit, serve, columns)


def _by_models(
    versions: tuple[_Version, _Version],
    table: PredictedTable,
    model: str | None,
    trust: bool,
    timeout: float,
    progress: Progress | None,
) -> tuple[list[RanSide], list[Mapping[str, Predicted]], tuple[str, ...]]:
    """Return both sides, what their models predict, and the columns the newer one takes."""
    sides: list[RanSide] = []
    said: list[Mapping[str, Predicted]] = []
    columns: tuple[str, ...] = ()
    models = chosen_models((versions[0].snapshot, versions[1].snapshot), model, trust=trust)
    for number, (version, one) in enumerate(zip(versions, models, strict=True)):
        if progress:
            progress(number, 2, f"running {one.path} of {version.side.name}")
        ran = run_model(one, table.arrow, table.aside, timeout)
        columns = ran.columns
        said.append(dict(zip(table.names, ran.values, strict=True)))
        sides.append(RanSide(version.side, one.path, one.id, one.verdict, ran.notes))
    return sides, said, columns


def _result(
    table: PredictedTable,
    sides: tuple[RanSide, RanSide],
    said: tuple[Mapping[str, Predicted], Mapping[str, Predicted]],
    known: Mapping[str, Predicted],
    slices: Mapping[str, Sequence[int]],
    tolerance: float | None,
    limit: int,
    serve: Sequence[str],
    columns: tuple[str, ...],
) -> PredictDiffResult:
    rows = [Row(name, said[0].get(name), said[1].get(name), known.get(name)) for name in table.names]
    numeric = tolerance is not None or amounts(rows)
    counted = Counted(rows, (tolerance or 0.0) if numeric else None)
    labelled = any(row.label is not None for row in rows)
    flips = counted.flips()
    silent_old, silent_new = counted.silent
    return PredictDiffResult(
        old=sides[0],
        new=sides[1],
        data=table.data.path,
        data_id=table.data.id,
        by="serve" if serve else "model",
        command=tuple(serve),
        rows=len(rows),
        silent_old=silent_old,
        silent_new=silent_new,
        numeric=numeric,
        tolerance=tolerance or 0.0,
        flips=flips,
        directions=counted.directions(),
        correct=counted.correct() if labelled else None,
        slices=counted.slices(slices, labelled),
        flipped=counted.flipped(slices, limit),
        truncated=flips.count > limit,
        label=table.label,
        columns=columns,
    )


def _version(repo: Repository, word: str | None) -> _Version:
    if word is None:
        return _Version(Side("work tree", None), repo.work_snapshot())
    id: CommitId = repo.resolve(word)
    commit = repo.commit(id)
    return _Version(Side(word, id, commit.time, commit.author, commit.subject), repo.snapshot(id))


def _served(
    repo: Repository,
    version: _Version,
    table: PredictedTable,
    others: Sequence[DataVersion],
    command: Sequence[str],
    timeout: float,
    environment: Mapping[str, str] | None,
) -> Mapping[str, Predicted]:
    """Return what the command predicts in a scratch folder of one version; CommandFailed saying of which."""
    changes: dict[str, Artifact | bytes | None] = {}
    for one in (table.data, *others):
        changes |= laid(one, version.snapshot)
    if version.snapshot.commit is None:
        changes |= _unstored(repo, version.snapshot, changes)
    with scratch(repo, version.snapshot.artifacts, changes) as place:
        ran = place.run(command, timeout=timeout, environment=environment, data=table.data.path)
        name = f"{ran.command[0].rpartition('/')[2]} at {version.side.name}"
        if ran.trouble:
            raise CommandFailed(f"{name} {ran.trouble}", hint="nothing was changed; try the command in the work tree")
        return read_predictions(place.answer(ran), table.handed.key, table.names, name)


def _unstored(repo: Repository, work: Snapshot, known: Mapping[str, object]) -> dict[str, Artifact | bytes | None]:
    """Return the files of the work tree whose bytes are in no commit."""
    found: dict[str, Artifact | bytes | None] = {}
    for path, artifact in work.artifacts.items():
        if path not in known and not repo.store.has(artifact.id):
            with work.source(path).open() as stream:
                found[path] = stream.read()
    return found
