"""Rules written as Python functions: read as text, by their syntax tree; never imported, never run.

A unit is a function or method by its name, and a constant in capitals, where thresholds live. Comments
and formatting are no part of it; the docstring is its reason. What else the module does is `@module`.
"""

from __future__ import annotations

import ast

from mlver.kinds.base import Source, Unreadable, Value
from mlver.kinds.documents import read_text
from mlver.kinds.documents.reading import MIB

_LIMIT = 4 * MIB
_SAID = ("id", "owner", "why", "reason", "ticket", "expires", "patches", "severity", "action")  # of a decorator's words
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MODULE = "@module"


def read_python(source: Source) -> dict[str, Value]:
    """Return the functions and constants of a module by name; Unreadable with the line that is no Python."""
    text = read_text(source, _LIMIT)
    try:
        tree = ast.parse(text)
        return _Module(tree).units
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        raise Unreadable(f"{where}not Python: {error.msg}") from None
    except (RecursionError, MemoryError):
        raise Unreadable("nested too deeply") from None
    except ValueError as error:  # a NUL byte
        raise Unreadable(f"not Python: {error}") from None


def lines_of(source: Source) -> dict[str, int]:
    """Return the line in which each unit of the module begins."""
    return _Module(ast.parse(read_text(source, _LIMIT))).lines


class _Module:
    def __init__(self, tree: ast.Module) -> None:
        self.units: dict[str, Value] = {}
        self.lines: dict[str, int] = {}
        doc = ast.get_docstring(tree)
        body = tree.body[1:] if doc is not None else tree.body
        rest = [ast.unparse(statement) for statement in body if not self._unit("", statement)]
        if rest:
            self.units[MODULE] = "\n".join(rest)

    def _unit(self, prefix: str, statement: ast.stmt) -> bool:
        """Take a statement in as a unit; false when it is none."""
        if isinstance(statement, _FUNCTIONS):
            self._add(prefix + statement.name, _function(statement), statement.lineno)
        elif isinstance(statement, ast.ClassDef):
            self._class(prefix + statement.name, statement)
        elif name := _constant(statement):
            assert isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None
            self._add(prefix + name, _value(statement.value), statement.lineno)
        else:
            return False
        return True

    def _class(self, name: str, node: ast.ClassDef) -> None:
        """Take in a class: its methods and constants one by one, the rest of it under its own name."""
        doc = ast.get_docstring(node)
        rest = [
            ast.unparse(inner)
            for inner in (node.body[1:] if doc is not None else node.body)
            if not self._unit(f"{name}.", inner) and not isinstance(inner, ast.Pass)
        ]
        value: dict[str, Value] = {"class": ", ".join(ast.unparse(base) for base in (*node.bases, *node.keywords))}
        if rest:
            value["code"] = "\n".join(rest)
        self._add(name, _described(value, node, doc), node.lineno)

    def _add(self, name: str, value: Value, line: int) -> None:
        key, copies = name, 1
        while key in self.units:  # a name that is bound again
            copies += 1
            key = f"{name}#{copies}"
        self.units[key], self.lines[key] = value, line


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Value:
    doc = ast.get_docstring(node)
    body = node.body[1:] if doc is not None else node.body
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    head = f"{word} {node.name}({ast.unparse(node.args)}){returns}:"
    inner = "\n".join(ast.unparse(statement) for statement in body) or "pass"
    code = head + "".join(f"\n    {line}" for line in inner.split("\n"))
    return _described({"code": code}, node, doc)


def _described(
    value: dict[str, Value], node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, doc: str | None
) -> Value:
    """Add decorators, what they say of the rule (`owner="dana"`), and the docstring as the reason."""
    if node.decorator_list:
        value["decorators"] = [ast.unparse(one) for one in node.decorator_list]
    for decorator in node.decorator_list:
        for word in decorator.keywords if isinstance(decorator, ast.Call) else ():
            if word.arg in _SAID and isinstance(word.value, ast.Constant):
                value[word.arg] = _literal(word.value.value)
    if doc and not {"why", "reason"} & value.keys():
        value["why"] = " ".join(doc.split())
    return value


def _constant(statement: ast.stmt) -> str | None:
    """Return the name of a constant that the statement sets: all capitals, one target."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target = statement.target
    else:
        return None
    return target.id if isinstance(target, ast.Name) and target.id.isupper() else None


def _value(node: ast.expr) -> Value:
    """Return a plain value as it is, anything else as the text of its expression."""
    try:
        return _plain(node)
    except TypeError:
        return {"code": ast.unparse(node)}


def _plain(node: ast.expr) -> Value:
    """Return the value of a literal; TypeError when it is none. Reads the tree, and runs nothing."""
    if isinstance(node, ast.Constant):
        return _literal(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return -value
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_plain(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        if all(isinstance(key, str) for key in keys) and len(set(keys)) == len(keys):
            return {str(key): _plain(item) for key, item in zip(keys, node.values, strict=True)}
    raise TypeError("not a literal")


def _literal(value: object) -> Value:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError("not a plain value")
