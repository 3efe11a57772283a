"""Moments in time: aware UTC datetimes in code, RFC 3339 text in objects and output."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from mlver.errors import UsageError

_RELATIVE = re.compile(r"(\d+)\s*(s|m|h|d|w)(?:\s*ago)?$")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY = re.compile(rf"(\d{{1,2}})[ .-]{{1,2}}({'|'.join(_MONTHS)})[a-z]*(?:[ .-]{{1,2}}(\d{{4}}))?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def format_time(moment: datetime) -> str:
    """Return `2024-04-22T03:07:00Z`; the fraction appears only when there is one."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Return the aware UTC moment written in `text` (RFC 3339, or a date; no zone means UTC).

    Raises UsageError when the text is no such moment.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _no_time(text) from None


def parse_when(text: str, now: datetime) -> datetime:
    """Like `parse_time`, and also `2h`, `3d ago`, `yesterday`, `now`, counted back from `now`.

    `20-Apr` and `20 April` are the last such day that has begun; `20 Apr 2024` is that one.
    """
    word = text.strip().lower()
    if word == "now":
        return now
    if word in ("today", "yesterday"):
        day: date = now.date() - timedelta(days=word == "yesterday")
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    if match := _RELATIVE.fullmatch(word):
        try:
            return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
        except (ValueError, OverflowError):  # before the year 1
            raise _no_time(text) from None
    if match := _DAY.fullmatch(word):
        return _day(text, int(match[1]), _MONTHS.index(match[2]) + 1, match[3], now)
    return parse_time(text)


def _day(text: str, day: int, month: int, year: str | None, now: datetime) -> datetime:
    # without a year up to eight are tried: that far lie two 29ths of February apart
    for number in (int(year),) if year else range(now.year, max(1, now.year - 8) - 1, -1):
        try:
            found = datetime(number, month, day, tzinfo=UTC)
        except ValueError:
            continue
        if year or found <= now:
            return found
    raise _no_time(text)


def parse_span(text: str) -> timedelta:
    """Return the length of time written as `14d`, `2h`, `90m`; UsageError when it is none, or zero."""
    match = re.fullmatch(r"\s*(\d+)\s*(s|m|h|d|w)\s*", text)
    try:
        span = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta()
    except (ValueError, OverflowError):
        span = timedelta()
    if not span:
        raise UsageError(f"not a length of time: {text[:80]!r}", hint="write 14d, 2h or 90m")
    return span


def _no_time(text: str) -> UsageError:
    return UsageError(f"not a time: {text[:80]!r}", hint="write 2024-04-22T03:07Z, 2024-04-22 or 2h")
