"""TOML and INI, through the standard library's readers."""

from __future__ import annotations

import configparser
import re
import tomllib
from datetime import date, datetime, time

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.documents.reading import MAX_DEPTH, Overflow, checked, line_at, overflow, read_float, too_deep

# tomllib keeps every prefix of a dotted key, so a key of n parts costs n * n: refused before it is read
_LONG_KEY = re.compile(rf"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_DEPTH}}}""")
_WHERE = re.compile(r" \(at (?:line (\d+), column \d+|(end of document))\)$")


def refuse_long_keys(text: str) -> None:
    """Raise Unreadable, with the line, for a key of so many parts that reading it would fill the memory."""
    if long := _LONG_KEY.search(text):
        raise Unreadable(f"line {line_at(text, long.start())}: a key of more than {MAX_DEPTH} parts")


def parse_toml(text: str) -> Value:
    """Return the document, dates and times as text; Unreadable with the line."""
    refuse_long_keys(text)
    try:
        return _plain(checked(tomllib.loads(text, parse_float=read_float)))
    except tomllib.TOMLDecodeError as error:
        what = str(error)
        where = _WHERE.search(what)
        line = f"line {where[1]}: " if where and where[1] else ""
        raise Unreadable(f"{line}not TOML: {_WHERE.sub(' at the end' if where and where[2] else '', what)}") from None
    except RecursionError:
        raise too_deep() from None
    except Overflow as error:
        raise overflow(text, str(error)) from None
    except ValueError:
        raise Unreadable("a number or date that cannot be read") from None


def parse_ini(text: str) -> Value:
    """Return section -> key -> text; keys keep their case, `[DEFAULT]` is a section like any other."""
    parser = configparser.RawConfigParser(allow_no_value=True, default_section="\0")
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(text)
    except configparser.DuplicateOptionError as error:
        raise Unreadable(f"line {error.lineno}: duplicate key {error.option} in [{error.section}]") from None
    except configparser.DuplicateSectionError as error:
        raise Unreadable(f"line {error.lineno}: duplicate section [{error.section}]") from None
    except configparser.MissingSectionHeaderError as error:
        raise Unreadable(f"line {error.lineno}: not INI: text before the first section") from None
    except AttributeError:  # what configparser stumbles into where a key without a value goes on
        raise Unreadable("not INI: a line goes on where there is no value") from None
    except configparser.ParsingError as error:
        raise Unreadable(f"line {error.errors[0][0]}: not INI" if error.errors else "not INI") from None
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _plain(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, (datetime, date, time)) else value
