"""The three verdicts on loading a model file, and what the names in one are worth.

There is no verdict "safe": lists of dangerous names are never complete, so a name that is on no
list at all is "unknown". What only a file can be whose format has no way to name something to import or
call is "plain data": a pickle never is, whatever it imports; see docs/design/models.md.
"""

from __future__ import annotations

from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterable
from typing import Final

from mlver.kinds.verdicts import PLAIN, RUNS, UNKNOWN

__all__ = ["PLAIN", "RUNS", "UNKNOWN", "canonical", "is_data", "runs_code", "verdict"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DATA: Final = _words(
    """
    numpy.dtype numpy.ndarray numpy.matrix numpy.bool numpy.bool_ numpy.int8 numpy.int16
    numpy.int32 numpy.int64 numpy.uint8 numpy.uint16 numpy.uint32 numpy.uint64 numpy.float16 numpy.float32
    numpy.float64 numpy.longdouble numpy.complex64 numpy.complex128 numpy.str_ numpy.bytes_ numpy.void
    numpy.datetime64 numpy.timedelta64 numpy.object_ numpy._core.multiarray._reconstruct
    numpy._core.multiarray.scalar numpy._core.numeric._frombuffer joblib.numpy_pickle.NumpyArrayWrapper
    _codecs.encode builtins.bytes builtins.bytearray builtins.set builtins.frozenset builtins.complex
    builtins.list builtins.tuple builtins.dict builtins.int builtins.float builtins.str builtins.bool
    builtins.object builtins.range builtins.slice copyreg._reconstructor copyreg.__newobj__
    copyreg.__newobj_ex__ collections.OrderedDict collections.defaultdict collections.deque collections.Counter
    datetime.datetime datetime.date datetime.time datetime.timedelta datetime.timezone decimal.Decimal
    fractions.Fraction uuid.UUID
    torch.device torch.Size torch.storage.UntypedStorage torch._utils._rebuild_tensor
    torch._utils._rebuild_tensor_v2 torch._utils._rebuild_tensor_v3 torch._utils._rebuild_parameter
    torch.DoubleStorage torch.FloatStorage torch.HalfStorage torch.BFloat16Storage torch.LongStorage
    torch.IntStorage torch.ShortStorage torch.CharStorage torch.ByteStorage torch.BoolStorage
    torch.ComplexDoubleStorage torch.ComplexFloatStorage torch.float64 torch.float32 torch.float16
    torch.bfloat16 torch.int64 torch.int32 torch.int16 torch.int8 torch.uint64 torch.uint32 torch.uint16
    torch.uint8 torch.bool torch.complex128 torch.complex64 torch.float8_e4m3fn torch.float8_e5m2
    torch.float8_e4m3fnuz torch.float8_e5m2fnuz torch.float8_e8m0fnu
    """
)

_RUNNING_MODULES: Final = _words(
    """
    os posix nt ntpath subprocess _posixsubprocess sys runpy importlib imp pkgutil zipimport pty tty shutil
    socket _socket ctypes _ctypes cffi pickle _pickle cPickle dill cloudpickle marshal shelve code codeop pdb
    bdb timeit profile cProfile trace webbrowser urllib http requests httpx aiohttp ftplib smtplib telnetlib
    poplib imaplib nntplib asyncio multiprocessing _winapi threading _thread signal inspect gc _testcapi pip
    ensurepip venv site setuptools distutils pkg_resources pydoc doctest idlelib lib2to3 commands popen2
    tempfile linecache antigravity this tkinter sqlite3 atexit faulthandler resource fcntl mmap ssl httplib
    urllib2 xmlrpc wsgiref mailcap pyrepl _pyrepl _xxsubinterpreters _interpreters _posixshmem _osx_support
    py_compile compileall modulefinder jinja2 mako fabric paramiko invoke pexpect plumbum jsonpickle
    """
)
_RUNNING: Final = _words(
    """
    builtins.eval builtins.exec builtins.compile builtins.execfile builtins.apply builtins.getattr
    builtins.setattr builtins.delattr builtins.__import__ builtins.open builtins.file builtins.input
    builtins.breakpoint builtins.globals builtins.locals builtins.vars builtins.map builtins.filter
    builtins.reload builtins.exit builtins.quit io.open _io.open io.FileIO _io.FileIO io.open_code _io.open_code
    codecs.open functools.reduce operator.attrgetter operator.methodcaller operator.call _operator.attrgetter
    _operator.methodcaller _operator.call types.CodeType types.FunctionType types.ModuleType types.MethodType
    types.LambdaType joblib.load joblib.numpy_pickle.load numpy.load numpy.save numpy.fromfile
    pandas.read_pickle pandas.io.pickle.read_pickle pandas.eval torch.load torch.serialization.load
    logging.config.dictConfig logging.config.fileConfig uuid._popen uuid._get_command_stdout yaml.load
    yaml.unsafe_load yaml.full_load torch.storage._load_from_bytes pandas.read_csv pandas.io.parsers.readers.read_csv
    pandas.DataFrame.to_pickle pandas.DataFrame.query pandas.DataFrame.eval pandas.io.common.get_handle
    numpy.savetxt numpy.loadtxt numpy.genfromtxt numpy.memmap builtins.help copyreg.pickle copyreg.add_extension
    pathlib.Path.write_text pathlib.Path.write_bytes pathlib.Path.unlink keras.models.load_model
    keras.saving.load_model keras.utils.get_file keras.src.utils.file_utils.get_file
    keras.config.enable_unsafe_deserialization sympy.sympify
    """
)
_RUNNING_PREFIXES: Final = (
    "numpy.testing.", "numpy.distutils.", "numpy.f2py.", "numpy.ctypeslib.", "torch.hub.", "torch._inductor.",
    "torch._dynamo.", "torch.utils.", "torch.package.", "torch.jit.", "scipy.weave.", "joblib.externals.",
    "pandas.core.computation.", "torch.fx.", "torch.library.", "torch.distributed.", "torch.multiprocessing.",
    "torch.ops.", "torch.classes.", "mlflow.projects.", "sympy.core.sympify.", "sympy.parsing.", "numpy.lib.npyio.",
    "numpy.lib._npyio_impl.", "numpy.lib.format.",
)  # fmt: skip


def canonical(module: str, name: str, protocol: int) -> str:
    """Return the dotted name a reference means to today's Python and numpy.

    Old protocols carry Python 2 names, and numpy 2 moved `numpy.core` to `numpy._core`; the same
    thing has to get the same name.
    """
    if protocol < 3:
        if (module, name) in NAME_MAPPING:
            module, name = NAME_MAPPING[(module, name)]
        else:
            module = IMPORT_MAPPING.get(module, module)
    if module == "numpy.core" or module.startswith("numpy.core."):
        module = "numpy._core" + module[len("numpy.core") :]
    module = module.removeprefix("sklearn.externals.") if module.startswith("sklearn.externals.joblib") else module
    return f"{module}.{name}"


def runs_code(path: str) -> bool:
    """Whether a dotted name is known to run code, or to reach things that do, when called."""
    old = path.removeprefix("__builtin__.")
    path = path if old == path else f"builtins.{old}"
    # what is reached through an attribute (`builtins.eval.__call__`, `x.__globals__`) counts as well
    parts = path.split(".")
    return (
        parts[0] in _RUNNING_MODULES
        or any(".".join(parts[:count]) in _RUNNING for count in range(2, len(parts) + 1))
        or path.startswith(_RUNNING_PREFIXES)
        or any(part.startswith("__") and part.endswith("__") for part in parts[1:] if not part.startswith("__newobj"))
    )


def is_data(path: str) -> bool:
    """Whether a dotted name is one of the few that only ever make data."""
    return path in _DATA


def verdict(names: Iterable[str], calls_result: bool) -> str:
    """Return what loading a file that names things to import would do, as far as the names tell: UNKNOWN or RUNS.

    `calls_result`: something other than a name is called.
    """
    return RUNS if calls_result or any(map(runs_code, names)) else UNKNOWN
