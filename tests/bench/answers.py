"""Whether the row diffs that are timed are right: ours have to be, of a peer's it is said how right they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

Keys = Mapping[str, Sequence[int]]  # of rows added, removed and changed
KINDS = ("added", "removed", "changed")


def of_mlver(out: str) -> Keys:
    """Return the keys that `mlver diff --json` names."""
    found: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for unit in json.loads(out)["artifacts"][0]["changes"]:
        found[unit["change"]].append(int(unit["unit"]))
    return found


def must_be(out: str, truth: Keys) -> None:
    """SystemExit unless our diff names exactly the keys that differ."""
    if wrong := judged("mlver", of_mlver(out), truth):
        raise SystemExit(f"the row diff is wrong: {wrong}")


def judged(name: str, found: Keys, truth: Keys) -> str:
    """Return how many keys are right and how many too many; empty when all is as it should be."""
    theirs, right = ({(kind, key) for kind in KINDS for key in keys[kind]} for keys in (found, truth))
    if theirs == right and sum(map(len, found.values())) == len(right):
        return ""
    return f"{name}: {len(theirs & right)} of {len(right)} keys right, {len(theirs - right)} wrong"
