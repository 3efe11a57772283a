"""Short forms of values: numbers, sizes, moments, names of commits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mlver.objects.result import jsonable

UNKNOWN = "unknown"


def number(value: Any) -> str:
    """Return a number with three decimals or four digits, whichever says more; None is `unknown`."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if value == 0:
        return "0"
    if 0.0005 <= abs(value) < 1000:
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.4g}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.2e}"


def signed(value: float) -> str:
    """Return a difference with its sign: `+0.012`, `-5`, `0`."""
    text = number(value)
    return text if value <= 0 or value != value else f"+{text}"


def size(count: int | None) -> str:
    """Return a number of bytes in binary units: `12.3 KiB`."""
    if count is None:
        return ""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if amount < (1024 if unit == "B" else 999.5) or unit == "TiB":
            return f"{count} B" if unit == "B" else f"{amount:.3g} {unit}"
        amount /= 1024
    raise AssertionError("unreachable")


def when(moment: datetime | None) -> str:
    """Return `2024-04-22 03:07Z`, which every command that takes a time reads back."""
    if moment is None:
        return ""
    moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%SZ" if moment.second else "%Y-%m-%d %H:%MZ")


def lasted(seconds: float) -> str:
    """Return a duration in its two largest units: `69 min`, `3 d 4 h`, `1.4 s`, `98 ms`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    hours = round(seconds / 3600)
    if hours < 48:
        return f"{hours} h"
    days, rest = divmod(hours, 24)
    return f"{days} d {rest} h" if rest and days < 7 else f"{days} d"


def delay(seconds: float) -> str:
    """Return how long something took to become known, in whole days, the nearest; short delays as they are."""
    return f"{seconds / 86_400:.0f} d" if seconds >= 2 * 86_400 else lasted(seconds)


def many(count: int, noun: str, plural: str | None = None) -> str:
    """Return `1 file`, `2 files`."""
    return f"{number(count)} {noun if count == 1 else plural or noun + 's'}"


def brief(value: Any, limit: int = 120) -> str:
    """Return any value as one short line; text in quotes, so that "-1" and -1 differ."""
    if isinstance(value, float):
        text = f"{value:.6g}"
        return f"{text}.0" if text.lstrip("-").isdecimal() else text.replace("nan", "NaN").replace("inf", "Infinity")
    if isinstance(value, Mapping):
        text = ", ".join(f"{key} {brief(item)}" for key, item in value.items())
    else:
        text = json.dumps(jsonable(value), ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def briefs(old: Any, new: Any) -> tuple[str, str]:
    """Return two values that differ as short texts that differ, too."""
    texts = brief(old), brief(new)
    return texts if texts[0] != texts[1] else (repr(old), repr(new))


def span(since: datetime, until: datetime | None) -> str:
    """Return `2024-04-22 02:00Z – 03:09Z`, the second day only when it is another; `– now` when it has no end."""
    if until is None:
        return f"{when(since)} – now"
    return f"{when(since)} – {end(since, until)}"


def end(since: datetime, until: datetime) -> str:
    """Return when something ended that began at `since`: the time alone on the same day."""
    text = when(until)
    return text[11:] if day(since) == day(until) else text


def who(author: str | None) -> str:
    """Return the name of an author without the mail address, for tables."""
    name = (author or "").partition(" <")[0].strip()
    return name or (author or "")


def day(moment: datetime | None) -> str:
    """Return `2024-04-22`, in UTC."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d")
