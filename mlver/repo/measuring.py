"""Measuring a bundle with the user's own command: it runs in a scratch folder, its JSON is read as metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from mlver.errors import NegativeAnswer, UsageError, one_line
from mlver.frozen import frozen
from mlver.kinds.base import Value, short_json
from mlver.objects.encoding import Plain
from mlver.objects.result import jsonable
from mlver.repo.metric_documents import flat_metrics
from mlver.repo.programs import Ran
from mlver.repo.scratch import Scratch
from mlver.repo.subjects import get_number

_HINT = 'it must print {"recall": 0.9, "clinic=C": {"recall": 0.4, "n": 26}}, or write that to {out}'


class CommandFailed(NegativeAnswer):
    """The user's command did not give an answer; nothing was changed."""

    code = "command-failed"


@frozen
class Measured:
    """What one run of the command said: value and sample size by metric name and slice."""

    values: Mapping[tuple[str, str], tuple[Plain, int | None]]
    ran: Ran

    def value(self, name: str, slice: str = "") -> Plain:
        """Return one value; None when the command did not say it."""
        return self.values.get((name, slice), (None, None))[0]


def measure(
    scratch: Scratch,
    command: Sequence[str],
    *,
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
    **places: str,
) -> Measured:
    """Run `command` in the scratch folder and return the metrics it answers with.

    Raises CommandFailed naming the command when it fails, takes too long, or answers with something else.
    """
    ran = scratch.run(command, timeout=timeout, environment=environment, **places)
    name = ran.command[0].rpartition("/")[2]
    if ran.trouble:
        raise CommandFailed(f"{name} {ran.trouble}", hint="nothing was changed; try the command in the work tree")
    return Measured(numbers(scratch.answer(ran), name), ran)


def numbers(answer: bytes, what: str) -> dict[tuple[str, str], tuple[Plain, int | None]]:
    """Return the metrics in a program's answer by name and slice; CommandFailed when they are none.

    Other lines may come before the JSON, for many programs log to standard output, and texts stand beside the numbers.
    """
    document = answered(answer, what)
    try:
        found = {(name, part): (value, n) for name, part, value, n in flat_metrics(jsonable(document))}
    except UsageError as error:
        raise CommandFailed(f"{what}: {error.message}", hint=_HINT) from None
    if not found:
        raise CommandFailed(f"{what} answered with no metric", hint=_HINT)
    return found


def answered(answer: bytes, what: str) -> dict[str, Value]:
    """Return the JSON object that an answer is or ends in, its numbers alone: texts, flags and lists are no metrics.

    Raises CommandFailed that shows how the answer begins.
    """
    document = _last_json(answer)
    if document is None:
        lines = answer[:400].decode("utf-8", "replace").strip().splitlines()
        begins = f"no JSON object but {one_line(lines[0][:80])!r}" if lines else "nothing"
        raise CommandFailed(f"{what} answered with {begins}", hint=_HINT)
    kept = _numbers(document)
    if document and not kept:
        name, value = next(iter(document.items()))
        raise CommandFailed(f"{what} answered with no number; {name} is {short_json(value, 60)}", hint=_HINT)
    return kept


def _numbers(document: Mapping[str, Value]) -> dict[str, Value]:
    """Return what is a number, written "NaN" also, null or a map of such."""
    maps = {key: _numbers(value) for key, value in document.items() if isinstance(value, Mapping)}
    return {key: maps.get(key, v) for key, v in document.items() if key in maps or v is None or _is_number(v)}


def _is_number(value: Value) -> bool:
    return get_number(value) is not None


def _last_json(answer: bytes) -> dict[str, Value] | None:
    """Return the JSON object a text is or ends in."""
    text = answer.decode("utf-8", "replace").strip()
    starts = [0] + [at + 1 for at, char in enumerate(text) if char == "\n" and text[at + 1 : at + 2] == "{"]
    for start in [0, *reversed(starts[1:])][:100]:
        try:
            value = json.loads(text[start:])
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return None
