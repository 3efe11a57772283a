"""The README.txt of an evidence archive: for somebody who has never heard of mlver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from mlver.objects.state import Fact
from mlver.verbs.evidence_result import Dossier, Tenure

_LONGEST = 300  # characters of one text that somebody wrote


def readme(dossier: Dossier) -> str:
    """Return the text. Whatever people wrote is on one line, without characters that act on a terminal."""
    return "\n".join([*_head(dossier), *_live(dossier), *_known(dossier), *_files(dossier), *_HOW, ""])


def _head(dossier: Dossier) -> Iterator[str]:
    commit = dossier.commit
    yield f"What was known on {_when(dossier.at)} of {dossier.id.short}, {_one(commit.subject)}"
    yield ""
    yield f"  asked for    {_one(dossier.asked)}"
    yield f"  commit       {dossier.id}"
    yield f"  made         {_when(commit.time)} by {_one(commit.author)}"
    for name, texts in sorted(commit.trailers.items()):
        yield from (f"  {_one(name):<12} {_one(text)}" for text in texts)
    yield from (f"  parent       {parent}" for parent in commit.parents)
    if commit.git is not None:
        yield f"  git          {_one(commit.git.commit)}{' and a patch' if commit.git.patch else ''}"


def _live(dossier: Dossier) -> Iterator[str]:
    yield from ("", "Where it was live by then", "")
    if not dossier.served:
        yield "  nowhere"
    for one in dossier.served:
        yield from _tenure(one)


def _tenure(one: Tenure) -> Iterator[str]:
    live = one.live
    share = "" if live.percent == 100 else f", {live.percent} % of the traffic"
    until = f"until {_when(one.ended.at)}, moved on by {_one(one.ended.actor)}" if one.ended else "and still was"
    yield f"  {_one(one.stage)}{'/' + _one(one.scope) if one.scope else ''} from {_when(one.began.at)} {until}{share}"
    word = {"promote": "promoted", "rollback": "rolled back to"}.get(live.action, _one(live.action))
    yield f"    {word} by {_one(live.actor)}: {_one(live.reason) or 'no reason was given'}"
    yield f"    operation {one.began.operation}"
    seen = live.evidence if isinstance(live.evidence, Mapping) else {}
    for row in _maps(seen.get("gate")):
        why = f" ({_one(row['why'])})" if row.get("why") else ""
        yield f"    gate: {_one(row.get('state'))}: {_one(row.get('requirement'))}{why}"
    if not seen.get("gate"):
        yield "    gate: the stage asked for nothing"
    if seen.get("override"):
        yield f"    passed over: {_one(seen['override'])}"
    values = [_value(row) for row in sorted(_maps(seen.get("metrics")), key=_rank)]
    yield f"    values seen by who moved it: {len(values) or 'none'}"
    yield from (f"      {value}" for value in values)


def _known(dossier: Dossier) -> Iterator[str]:
    values = [fact for fact in dossier.facts if fact.type == "metric"]
    others = [fact for fact in dossier.facts if fact.type != "metric"]
    for title, facts in (("Alerts, notes and all else", others), ("Values", sorted(values, key=_rank_of))):
        yield from ("", f"{title} recorded of it by then: {len(facts) or 'none'}", "")
        for fact in facts:
            yield f"  {_when(fact.known)}  {_one(fact.type)} by {_one(fact.by)}: {_fact(fact)}"


def _fact(fact: Fact) -> str:
    if fact.type == "metric":
        return _value(fact.body)
    said = [f"{name} {_one(value)}" for name, value in sorted(fact.subject.items()) if name != "commit"]
    said += [f"{name} {_one(value)}" for name, value in sorted(fact.body.items()) if value not in (None, "")]
    return "; ".join(said)


def _files(dossier: Dossier) -> Iterator[str]:
    yield from ("", f"Its {len(dossier.files)} files, by SHA-256", "")
    for file, sha256 in zip(dossier.files, dossier.sums, strict=True):
        yield f"  {sha256}  {file.size:>12}  {_one(file.path)}"


_HOW = (
    "",
    "How to check it",
    "",
    "  python3 verify.py                   in this folder, or",
    "  python3 verify.py ARCHIVE.tar       without unpacking anything",
    "",
    "  Python 3.9 is enough; no network and no package is needed. SHA256SUMS can also be checked by",
    "  `sha256sum -c SHA256SUMS`. verify.py computes:",
    "",
    "  - the SHA-256 of every file in here, against SHA256SUMS;",
    "  - the BLAKE3 of every object in objects/, under the context `mlver 1 TYPE`: each must give its own name. So the",
    "    commit's id fixes its folders, and they fix the BLAKE3 of every file in manifest.json, and files/ if it is",
    "    here. The operations' ids fix who made it live, when, why, and on which values;",
    "  - the BLAKE3 of every line of facts.jsonl, and that none became known later than the moment asked about.",
    "",
    "  It uses the package `blake3` where that is installed, else its own plain Python, which leaves out files over",
    "  64 MB unless it is called with --slow, and says so.",
    "",
    "What this cannot show",
    "",
    "  Whoever can write files can make other evidence that holds together. Compare the ids of commit and operation",
    "  with those you were told by another way, or the SHA-256 of the archive with one that was written down then.",
    "  This text is for reading; what is checked stands in objects/, facts.jsonl and manifest.json.",
    "  That no fact was left out, and the SHA-256 of files that are not in here, rest on the word of mlver.",
)


def _value(row: Mapping[str, Any]) -> str:
    name = f"{_one(row.get('name'))}{{{_one(row['slice'])}}}" if row.get("slice") else _one(row.get("name"))
    value = "unknown" if row.get("value") is None else _one(row["value"])
    on = f" on {_one(row['dataset'])}" if row.get("dataset") else ""
    return f"{name} = {value}" + (f" (n {_one(row['n'])})" if row.get("n") is not None else "") + on


def _rank(row: Mapping[str, Any]) -> tuple[str, bool, str, str]:
    return str(row.get("name")), bool(row.get("slice")), str(row.get("slice")), str(row.get("dataset"))


def _rank_of(fact: Fact) -> tuple[tuple[str, bool, str, str], datetime]:
    return _rank(fact.body), fact.known


def _maps(value: object) -> Sequence[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, (list, tuple)) else []


def _one(value: object) -> str:
    text = str(value if value is not None else "")
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
