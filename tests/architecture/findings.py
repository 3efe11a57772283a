"""What the house rules forbid, found in the syntax tree of one module.

Each function takes the source of a module and returns its findings as `line: what`; an empty list
means the module is clean. They look at syntax alone, so they need no import of what they judge.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

SURROUNDINGS = {
    "sys.argv", "sys.stdin", "sys.stdout", "sys.stderr",
    "os.environ", "os.environb", "os.getenv", "os.putenv", "os.unsetenv", "os.getcwd", "os.getcwdb", "os.chdir",
    "os.getlogin", "os.path.expanduser", "os.path.expandvars", "os.path.abspath", "os.path.realpath",
    "pathlib.Path.cwd", "pathlib.Path.home", "getpass.getuser",
}  # fmt: skip
SURROUNDING_METHODS = {"expanduser"}
SURROUNDING_BUILTINS = {"print", "input", "breakpoint"}

EXECUTING_MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "runpy"}
EXECUTING_CALLS = {
    "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "yaml.Loader", "yaml.FullLoader",
    "yaml.UnsafeLoader", "numpy.load", "pandas.read_pickle", "os.system", "os.popen", "builtins.eval",
    "builtins.exec",
}  # fmt: skip
EXECUTING_BUILTINS = {"eval", "exec", "compile", "__import__"}

WRITING_CALLS = {
    "os.rename", "os.renames", "os.replace", "os.remove", "os.unlink", "os.rmdir", "os.removedirs", "os.mkdir",
    "os.makedirs", "os.symlink", "os.link", "os.truncate", "os.ftruncate", "os.chmod", "os.fchmod", "os.lchmod",
    "os.chown", "os.utime", "os.write", "os.writev", "os.pwrite", "os.sendfile", "os.copy_file_range", "os.mkfifo",
    "os.mknod", "os.setxattr", "os.O_WRONLY", "os.O_RDWR", "os.O_CREAT", "os.O_APPEND", "os.O_TRUNC",
}  # fmt: skip
SHUTIL_READING = {"shutil.which", "shutil.disk_usage", "shutil.get_terminal_size"}
TEMPFILE_READING = {"tempfile.gettempdir"}
WRITING_METHODS = {
    "write_text", "write_bytes", "rename", "unlink", "rmdir", "mkdir", "symlink_to", "hardlink_to", "touch", "chmod",
}  # fmt: skip


@cache
def parsed(source: str) -> ast.Module:
    """The syntax tree of a module, worked out once."""
    return ast.parse(source)


@cache
def nodes_of(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Every node of a tree, walked once for all rules."""
    return tuple(ast.walk(tree))


def uses_surroundings(source: str) -> list[str]:
    """Reads of argv, the environment, the working directory or the user; prints and prompts."""
    tree = parsed(source)
    found = [(line, name) for line, name in _names(tree) if name in SURROUNDINGS]
    found += [(node.lineno, f"{name}()") for node, name in _builtin_calls(tree) if name in SURROUNDING_BUILTINS]
    found += [(node.lineno, f".{name}()") for node, name in _method_calls(tree) if name in SURROUNDING_METHODS]
    return _report(found)


def may_execute(source: str) -> list[str]:
    """Imports and calls that can run code out of the bytes they are given."""
    tree = parsed(source)
    found = [(line, name) for line, name in _imports(tree) if name.split(".")[0] in EXECUTING_MODULES]
    found += [(line, name) for line, name in _names(tree) if name in EXECUTING_CALLS]
    found += [(node.lineno, f"{name}()") for node, name in _builtin_calls(tree) if name in EXECUTING_BUILTINS]
    return _report(found)


def writes_files(source: str) -> list[str]:
    """Calls that create, change, move or remove files and folders."""
    tree = parsed(source)
    found = [(line, name) for line, name in _names(tree) if name in WRITING_CALLS or _writes_by_module(name)]
    found += [(node.lineno, f".{name}()") for node, name in _method_calls(tree) if _method_writes(node, name)]
    found += [
        (node.lineno, "open() for writing")
        for node, name in _builtin_calls(tree)
        if name == "open" and _mode_writes(_argument(node, 1, "mode"))
    ]
    return _report(found)


def lacks_docstrings(source: str) -> list[str]:
    """The module, and each public class and function of it, that says nothing of itself."""
    tree = parsed(source)
    found = [] if ast.get_docstring(tree) else [(1, "the module")]
    for node in tree.body:
        named = isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        if named and not node.name.startswith("_") and not ast.get_docstring(node) and not _is_overload(node):
            found.append((node.lineno, node.name))
    return _report(found)


def long_functions(source: str, limit: int) -> list[str]:
    """Functions and methods of more than `limit` lines, counted from `def` to their last line."""
    found = []
    for node in nodes_of(parsed(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > limit:
                found.append((node.lineno, f"{node.name} has {length} lines"))
    return _report(found)


def _report(found: list[tuple[int, str]]) -> list[str]:
    return [f"{line}: {what}" for line, what in sorted(set(found))]


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in nodes_of(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@cache
def _aliases(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: `np` -> numpy, `environ` -> os.environ."""
    known: dict[str, str] = {}
    for node in nodes_of(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return known


@cache
def _names(tree: ast.Module) -> tuple[tuple[int, str], ...]:
    """Every use of an imported name with the dots that follow it, by its full name; and every import."""
    return (*_imports(tree), *_uses(tree))


def _uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    known = _aliases(tree)
    for node in nodes_of(tree):
        parts: list[str] = []
        inner = node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and inner.id in known:
            yield node.lineno, ".".join([known[inner.id], *reversed(parts)])


def _builtin_calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    known = _aliases(tree)
    for node in nodes_of(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in known:
            yield node, node.func.id


def _method_calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Calls of an attribute of anything that is not an imported module or name."""
    known = _aliases(tree)
    for node in nodes_of(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            value = node.func.value
            if not (isinstance(value, ast.Name) and value.id in known):
                yield node, node.func.attr


def _writes_by_module(name: str) -> bool:
    return (name.startswith("shutil.") and name not in SHUTIL_READING) or (
        name.startswith("tempfile.") and name not in TEMPFILE_READING
    )


def _method_writes(call: ast.Call, name: str) -> bool:
    if name == "replace":  # Path.replace takes one argument, str.replace two, datetime.replace keywords
        return len(call.args) == 1 and not call.keywords
    if name == "open":  # Path.open takes the mode first; other `open` methods take a name there
        mode = _argument(call, 0, "mode")
        return isinstance(mode, ast.Constant) and _mode_writes(mode)
    return name in WRITING_METHODS


def _argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    for given in call.keywords:
        if given.arg == keyword:
            return given.value
    return call.args[position] if len(call.args) > position else None


def _mode_writes(mode: ast.expr | None) -> bool:
    if mode is None:
        return False
    if isinstance(mode, ast.Constant):
        return isinstance(mode.value, str) and bool(set(mode.value) & set("wax+"))
    return True  # a mode that is computed can't be judged here, so it is not let through


def _is_overload(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(isinstance(item, ast.Name) and item.id == "overload" for item in decorators)
