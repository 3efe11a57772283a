"""Model files that do something when they are loaded, after the published ways past scanners; built here.

Sources of the shapes: the advisories of picklescan and fickling, issues 263, 267, 269, 313, 330 and 338 of modelscan,
nullifAI (7z and broken streams), CVE-2024-3660, -2025-1550, -8747, -9905, -9906 (Keras), -2025-32434 (PyTorch),
-2025-54412, -54413, -54886 (skops), -2022-25882, -2024-27318 (ONNX), -2024-34359 (templates in GGUF). What each would
do is create the file `MARKER` in the current folder, or call something that is not there.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import marshal
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from tests.kinds.model.making import joblib_bytes

MARKER: Final = "marker-of-a-payload"
COMMAND: Final = f"touch {MARKER}"
SOURCE: Final = f"open({MARKER!r}, 'w').close()"
RUNS, UNKNOWN = "runs code", "unknown"
NOT_PLAIN = (RUNS, UNKNOWN)


class Does:
    """Calls `function` when it is unpickled."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.what = (function, args)

    def __reduce__(self) -> Any:
        return self.what


def name(module: str, attribute: str) -> bytes:
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def text(words: str) -> bytes:
    return b"X" + struct.pack("<I", len(words.encode())) + words.encode()


def short(words: str) -> bytes:
    return b"\x8c" + bytes([len(words)]) + words.encode()


def call(module: str, attribute: str, *args: str, start: bytes = b"\x80\x04") -> bytes:
    return start + name(module, attribute) + b"(" + b"".join(map(text, args)) + b"tR."


SYSTEM: Final = name("os", "system") + text(COMMAND) + b"\x85R"
PLAIN_PICKLE: Final = call("os", "system", COMMAND)

# what the lists of scanners did not hold at one time or another: a name each that leads to code
GADGETS: Final = {
    "GHSA-655q: runpy": ("runpy", "_run_code", RUNS),
    "GHSA-r7v6: pty": ("pty", "spawn", RUNS),
    "GHSA-v7x6: timeit": ("timeit", "timeit", RUNS),
    "GHSA-46h3: cProfile": ("cProfile", "run", RUNS),
    "GHSA-x696: profile": ("profile", "Profile.run", RUNS),
    "GHSA-5qwp: trace": ("trace", "Trace.run", RUNS),
    "GHSA-4675: bdb": ("bdb", "Bdb.run", RUNS),
    "GHSA-4whj: torch bottleneck": ("torch.utils.bottleneck.__main__", "run_autograd_prof", RUNS),
    "GHSA-f4x7: torch collect_env": ("torch.utils.collect_env", "run", RUNS),
    "GHSA-86cj: torch guards": ("torch._dynamo.guards", "GuardBuilder.get", RUNS),
    "GHSA-4r9r: torch symbolic_shapes": (
        "torch.fx.experimental.symbolic_shapes", "ShapeEnv.evaluate_guards_expression", RUNS),
    "GHSA-vr7h: torch execWrapper": ("torch.jit.unsupported_tensor_ops", "execWrapper", RUNS),
    "GHSA-vv6j: torch load_config": ("torch.utils._config_module", "ConfigModule.load_config", RUNS),
    "GHSA-h3qp: torch basichandlers": ("torch.utils.data.datapipes.utils.decoder", "basichandlers", RUNS),
    "torch inductor": ("torch._inductor.codecache", "compile_file", RUNS),
    "GHSA-7cq8: idlelib autocomplete": ("idlelib.autocomplete", "AutoComplete.fetch_completions", RUNS),
    "GHSA-8r4j: idlelib calltip": ("idlelib.calltip", "Calltip.fetch_tip", RUNS),
    "GHSA-m869: idlelib run": ("idlelib.run", "Executive.runcode", RUNS),
    "GHSA-f54q: lib2to3": ("lib2to3.pgen2.grammar", "Grammar.loads", RUNS),
    "GHSA-cj3c: code": ("code", "InteractiveInterpreter.runcode", RUNS),
    "GHSA-xp4f: ensurepip": ("ensurepip", "_run_pip", RUNS),
    "CVE-2025-1716: pip": ("pip", "main", RUNS),
    "GHSA-vqmv: venv": ("venv", "create", RUNS),
    "GHSA-9w88: doctest": ("doctest", "debug_script", RUNS),
    "GHSA-fqq6: asyncio": ("asyncio.unix_events", "_UnixSubprocessTransport._start", RUNS),
    "GHSA-vvpj: resolve_name": ("pkgutil", "resolve_name", RUNS),
    "issue 66: import_module": ("importlib", "import_module", RUNS),
    "GHSA-g38g: pyrepl": ("_pyrepl.pager", "pipe_pager", RUNS),
    "GHSA-m273: methodcaller": ("operator", "methodcaller", RUNS),
    "GHSA-955r: _operator": ("_operator", "attrgetter", RUNS),
    "GHSA-84r2: _pickle": ("_pickle", "loads", RUNS),
    "GHSA-3329: f2py": ("numpy.f2py.crackfortran", "getlincoef", RUNS),
    "numpy runstring": ("numpy.testing._private.utils", "runstring", RUNS),
    "distutils writes": ("distutils.file_util", "write_file", RUNS),
    "modelscan 346: mailcap": ("mailcap", "findmatch", RUNS),
    "modelscan 338: spawnv_passfds": ("multiprocessing.util", "spawnv_passfds", RUNS),
    "modelscan 338: mlflow": ("mlflow.projects.backend.local", "_run_entry_point", RUNS),
    "modelscan 338: read_csv": ("pandas.io.parsers.readers", "read_csv", RUNS),
    "modelscan 269: read_pickle": ("pandas", "read_pickle", RUNS),
    "GHSA-hgrh: http": ("http.client", "HTTPSConnection", RUNS),
    "GHSA-6ggj: interpreters": ("_interpreters", "run_string", RUNS),
    "GHSA-p523: pydoc": ("pydoc", "locate", RUNS),
    "GHSA-5hvc: ctypes": ("ctypes", "CDLL", RUNS),
    "linecache reads": ("linecache", "getline", RUNS),
    "ssl leaks": ("ssl", "get_server_certificate", RUNS),
    "logging config": ("logging.config", "dictConfig", RUNS),
    "sqlite extensions": ("sqlite3", "connect", RUNS),
    "joblib in joblib": ("joblib.numpy_pickle", "load", RUNS),
    "torch in pickle": ("torch.serialization", "load", RUNS),
    "reached through dunders": ("numpy", "__builtins__", RUNS),
    "nobody's module": ("a_module_of_the_attacker", "run", UNKNOWN),
}  # fmt: skip


def streams() -> Iterator[tuple[str, bytes, str]]:
    """Yield pickles whose order of opcodes hides the call: what, bytes, the verdict due."""
    one = marshal.dumps(compile(SOURCE, "x", "exec"))
    yield "os.system", PLAIN_PICKLE, RUNS
    yield "posix.system, protocol 0", b"cposix\nsystem\n(S'" + COMMAND.encode() + b"'\ntR.", RUNS
    yield "exec", pickle.dumps(Does(exec, SOURCE)), RUNS
    yield "eval under its name of Python 2", b"\x80\x02" + name("__builtin__", "eval") + text(SOURCE) + b"\x85R.", RUNS
    yield "a pickle in a pickle", pickle.dumps(Does(pickle.loads, PLAIN_PICKLE)), RUNS
    yield "marshalled code", pickle.dumps(Does(marshal.loads, one)), RUNS
    yield (
        "GHSA-565g: function of marshalled code",
        b"\x80\x04" + name("types", "FunctionType") + name("marshal", "loads") + b"B" + struct.pack("<I", len(one))
        + one + b"\x85R}\x86R)R.", RUNS,
    )  # fmt: skip
    yield "GHSA-mxhj: OBJ and POP", b"\x80\x04(" + name("os", "system") + text(COMMAND) + b"o0K\x01.", RUNS
    yield "INST and POP_MARK", b"\x80\x04((S'" + COMMAND.encode() + b"'\nios\nsystem\n1K\x01.", RUNS
    yield "called, then thrown away", b"\x80\x04" + SYSTEM + b"0}.", RUNS
    yield "left on the stack", b"\x80\x04" + SYSTEM + b"}.", RUNS
    yield "memo entry written over", b"\x80\x04" + SYSTEM + b"q\x000Nq\x00.", RUNS
    yield "by NEWOBJ", b"\x80\x04" + name("subprocess", "Popen") + text("true") + b"\x85\x81.", RUNS
    yield "by NEWOBJ_EX", b"\x80\x04" + name("subprocess", "Popen") + b")}\x92.", RUNS
    yield (
        "by BUILD of an exception",
        b"\x80\x04" + name("builtins", "Exception") + b")R}" + text("x") + SYSTEM + b"sb.",
        RUNS,
    )
    yield "as a key of a dict", b"\x80\x04}" + SYSTEM + b"Ns.", RUNS
    yield "in a set", b"\x80\x04\x8f(" + SYSTEM + b"\x90.", RUNS
    yield (
        "picklescan 14: memo told wrong",
        b"\x80\x04" + short("os") + b"q\x00" + short("system") + b"q\x01" + short("torch._utils") + b"\x94"
        + short("_rebuild_tensor_v2") + b"\x94" + b"h\x00h\x01\x93" + short(COMMAND) + b"\x85R.", RUNS,
    )  # fmt: skip
    yield "names of the old string opcodes", b"U\x02osU\x06system\x93(S'" + COMMAND.encode() + b"'\ntR.", RUNS
    yield (
        "name put together by a call",
        b"\x80\x04" + name("builtins", "str") + short("os") + b"\x85R" + short("system") + b"\x93.",
        UNKNOWN,
    )
    yield (
        "call of a call",
        b"\x80\x04" + name("functools", "partial") + SYSTEM[:-1] + b"0" + name("os", "getcwd") + b"\x85R)R.",
        RUNS,
    )
    yield "by getattr", b"\x80\x04" + name("builtins", "getattr") + name("os", "path") + short("os") + b"\x86R.", RUNS
    yield "modelscan 330: attribute set, then read", (
        b"\x80\x04" + name("numpy", "size") + b"q\x01" + name("numpy", "__builtins__") + b"q\x03h\x01}}"
        + short("shape") + b"h\x03s\x86bh\x01h\x01" + short("eval") + b"\x86R" + short(SOURCE) + b"\x85R."
    ), RUNS  # fmt: skip
    yield "nullifAI: broken after the payload", PLAIN_PICKLE[:-1] + b"\xff\xff broken", RUNS
    yield "cut after the payload", PLAIN_PICKLE[:-1], RUNS
    yield "an opcode of tomorrow after the payload", PLAIN_PICKLE[:-1] + b"\x9f.", RUNS
    yield "an unknown protocol after the payload", PLAIN_PICKLE[:-1] + b"\x80\x09.", RUNS
    yield "a bad string after the payload", PLAIN_PICKLE[:-1] + b"S'no end\n.", RUNS
    yield "an extension number after the payload", PLAIN_PICKLE[:-1] + b"\x82\x01.", RUNS
    yield "persistent id after the payload", PLAIN_PICKLE[:-1] + b"Pwhat\n.", RUNS
    yield "text after a pickle", pickle.dumps({"a": 1}) + b"import os", UNKNOWN
    yield "a second pickle", pickle.dumps({"a": 1}) + PLAIN_PICKLE, UNKNOWN
    yield "frame that ends inside an opcode", b"\x80\x04\x95" + struct.pack("<Q", 4) + SYSTEM + b".", RUNS
    yield (
        "frame in a frame",
        b"\x80\x04\x95" + struct.pack("<Q", 60) + b"\x95" + struct.pack("<Q", 40) + SYSTEM + b".",
        UNKNOWN,
    )
    yield "frame beyond the end", b"\x80\x04" + SYSTEM + b"\x95" + struct.pack("<Q", 4000) + b".", RUNS
    yield "doubled header", b"\x80\x04\x80\x02" + name("__builtin__", "eval") + text(SOURCE) + b"\x85R.", RUNS
    yield "numbers with signs and spaces", b"(I 01\n" + SYSTEM + b"t.", RUNS
    yield "names with newlines of Windows", b"cos\r\nsystem\r\n(S'" + COMMAND.encode() + b"'\ntR.", UNKNOWN
    yield "out-of-band buffer", b"\x80\x05" + SYSTEM + b"0\x97.", RUNS
    yield "a codec", b"\x80\x04" + name("_codecs", "decode") + text("x") + text("rot13") + b"\x86R.", UNKNOWN
    yield "dill's way to make functions", b"\x80\x04" + name("dill._dill", "_create_function") + b")R.", RUNS
    yield (
        "cloudpickle's",
        b"\x80\x04" + name("cloudpickle.cloudpickle", "_builtin_type") + text("CodeType") + b"\x85R.",
        RUNS,
    )
    yield "types.CodeType", b"\x80\x04" + name("types", "CodeType") + b")R.", RUNS
    for what, (module, attribute, due) in GADGETS.items():
        yield what, call(module, attribute, "x"), due


def joblibs() -> Iterator[tuple[str, bytes, str]]:
    """Yield joblib files, compressed and not."""
    import os

    bundle = {"first": np.arange(50.0), "second": Does(os.system, COMMAND)}
    yield "joblib: after the first array", joblib_bytes(bundle), RUNS
    yield "joblib: in an array of objects", joblib_bytes({"a": np.array([Does(os.system, COMMAND)], object)}), RUNS
    for how in (3, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)):
        yield f"joblib: compressed, {how}", joblib_bytes(bundle, how), RUNS
    yield "joblib: lz4, not read", b"\x04\x22\x4d\x18" + PLAIN_PICKLE, UNKNOWN
    yield "joblib: before 0.9.3", b"ZF0x1f        " + zlib.compress(PLAIN_PICKLE), UNKNOWN
    yield "compressed twice", zlib.compress(gzip.compress(PLAIN_PICKLE)), UNKNOWN
    yield "bz2, with bytes behind", bz2.compress(PLAIN_PICKLE) + b"more", RUNS
    yield "xz, cut", lzma.compress(PLAIN_PICKLE * 40)[:-9], RUNS
    yield "nullifAI: 7z", b"7z\xbc\xaf\x27\x1c\0\4" + PLAIN_PICKLE, UNKNOWN
    yield "zstd", b"\x28\xb5\x2f\xfd" + PLAIN_PICKLE, UNKNOWN


def zipped(members: dict[str, bytes], **how: Any) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **how) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return stream.getvalue()


def flagged(data: bytes, bit: int) -> bytes:
    """Return an archive with a flag set in all headers, those of the directory included."""
    made = bytearray(data)
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        found = made.find(magic)
        while found >= 0:
            made[found + at] |= bit
            found = made.find(magic, found + 4)
    return bytes(made)


def archives() -> Iterator[tuple[str, str, bytes, str]]:
    """Yield archives: what, name, bytes, verdict due."""
    torch = {"archive/data.pkl": PLAIN_PICKLE, "archive/version": b"3\n"}
    clean = {"archive/data.pkl": b"\x80\x02}.", "archive/version": b"3\n"}
    whole = zipped(torch)
    yield "torch", "m.pt", whole, RUNS
    yield "torch, packed", "m.pt", zipped(torch, compression=zipfile.ZIP_DEFLATED), RUNS
    yield "CVE-2025-1889: pickle under another suffix", "m.pt", zipped(clean | {"archive/config.p": PLAIN_PICKLE}), RUNS
    yield "a second data.pkl", "m.pt", zipped(clean | {"archive/more/data.pkl": PLAIN_PICKLE}), RUNS
    yield "constants of TorchScript", "m.pt", zipped(clean | {"archive/constants.pkl": PLAIN_PICKLE}), RUNS
    yield "source of TorchScript", "m.pt", zipped(clean | {"archive/code/__torch__.py": b"import os"}), RUNS
    yield "CVE-2025-1945: flag 0x1", "m.pt", flagged(whole, 0x1), UNKNOWN
    yield "CVE-2025-1945: flag 0x20", "m.pt", flagged(whole, 0x20), RUNS
    yield "flag 0x40", "m.pt", flagged(whole, 0x40), RUNS
    yield "CVE-2025-10156: CRC", "m.pt", whole.replace(struct.pack("<I", zlib.crc32(PLAIN_PICKLE)), b"\0\0\0\0"), RUNS
    yield (
        "CVE-2025-1944: other name in the directory",
        "m.pt",
        whole[:60].replace(b"data.pkl", b"data.txt") + whole[60:],
        RUNS,
    )
    yield "no directory", "m.pt", whole[: whole.index(b"PK\x01\x02")], UNKNOWN
    yield "zip in a zip", "m.pt", zipped({"m.pt": whole}), UNKNOWN
    yield "CVE-2025-10155: torch named .bin", "m.bin", whole, RUNS
    yield "torch named .json", "m.json", whole, RUNS
    yield "torch named .safetensors", "m.safetensors", whole, RUNS
    yield "legacy torch", "m.pt", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + PLAIN_PICKLE, UNKNOWN
    lambda_layer = {
        "class_name": "Lambda",
        "module": "keras.layers",
        "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}},
    }
    yield "CVE-2024-3660: Lambda", "m.keras", keras(lambda_layer), RUNS
    for number, module, function in (
        ("CVE-2025-1550", "builtins", "exec"), ("CVE-2025-8747", "keras.utils", "get_file"),
        ("CVE-2025-9906", "keras.config", "enable_unsafe_deserialization"),
        ("module of subprocess", "subprocess", "run"),
    ):  # fmt: skip
        yield (
            f"{number}: function by name",
            "m.keras",
            keras({"class_name": "function", "module": module, "config": function, "registered_name": "function"}),
            RUNS,
        )
    yield (
        "TorchModuleWrapper",
        "m.keras",
        keras({"class_name": "TorchModuleWrapper", "module": "keras.layers", "config": {"module": "gAI="}}),
        RUNS,
    )
    yield (
        "CVE-2025-12058: path of a vocabulary",
        "m.keras",
        keras({"class_name": "StringLookup", "module": "keras.layers", "config": {"vocabulary": "/etc/passwd"}}),
        UNKNOWN,
    )
    yield "Keras, the configuration alone", "m.json", json.dumps(lambda_layer).encode(), UNKNOWN
    for what, root in (
        ("CVE-2025-54412: operator", node("OperatorFuncNode", "operator", "methodcaller") | {"attrs": []}),
        ("CVE-2025-54413: method", node("MethodNode", "builtins", "eval") | {"content": {}}),
        ("skops: function", node("FunctionNode", "os", "system")),
    ):  # fmt: skip
        yield (
            what,
            "m.skops",
            zipped({"schema.json": json.dumps(root | {"protocol": 2, "_skops_version": "0.13"}).encode()}),
            RUNS,
        )
    yield "CVE-2025-54886: a pickle named .skops", "m.skops", PLAIN_PICKLE, RUNS
    yield "skops with a pickle inside", "m.skops", zipped({"schema.json": b"{}", "m.pkl": PLAIN_PICKLE}), UNKNOWN


def node(loader: str, module: str, kind: str) -> dict[str, Any]:
    return {"__loader__": loader, "__module__": module, "__class__": kind, "__id__": 1}


def keras(config: dict[str, Any]) -> bytes:
    return zipped({"config.json": json.dumps(config).encode(), "metadata.json": b'{"keras_version": "3.9.0"}'})


def safetensors(extra: bytes = b"") -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return struct.pack("<Q", len(header)) + header + struct.pack("<2f", 1, 2) + extra


def gguf(key: bytes = b"general.name") -> bytes:
    value = b"{{ x.__class__ }}"
    pair = struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(value)) + value
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair


def npy(thing: Any, **how: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, thing, **how)
    return stream.getvalue()


def others() -> Iterator[tuple[str, str, bytes, str]]:
    """Yield files of formats without code, with something added: what, name, bytes, verdict due."""
    behind = zipped({"archive/data.pkl": PLAIN_PICKLE})
    yield "safetensors named .pkl", "m.pkl", safetensors(), UNKNOWN
    yield "safetensors named .bin", "m.bin", safetensors(), UNKNOWN
    yield "safetensors with an archive behind", "m.safetensors", safetensors(behind), UNKNOWN
    yield "GGUF with an archive behind", "m.gguf", gguf() + behind, UNKNOWN
    yield "CVE-2024-34359: template in GGUF", "m.gguf", gguf(b"tokenizer.chat_template"), UNKNOWN
    yield "JSON named .pkl", "m.pkl", b'{"a": 1}', UNKNOWN
    yield "JSON with an archive behind", "m.json", b'{"a": 1}' + behind, UNKNOWN
    yield "a pickle named .json", "m.json", PLAIN_PICKLE, UNKNOWN
    yield "a pickle named .safetensors", "m.safetensors", PLAIN_PICKLE, UNKNOWN
    yield "a pickle named .onnx", "m.onnx", PLAIN_PICKLE, UNKNOWN
    yield "a pickle named .gguf", "m.gguf", PLAIN_PICKLE, RUNS
    yield "a pickle named .txt", "models/m.txt", PLAIN_PICKLE, RUNS
    yield "transformers: code of the repository", "m.json", b'{"auto_map": {"AutoModel": "evil--m.Model"}}', UNKNOWN
    yield "transformers: template", "m.json", b'{"a": [{"chat_template": "{{ x }}"}]}', UNKNOWN
    yield "jsonpickle", "m.json", b'{"py/reduce": [{"py/function": "os.system"}, {"py/tuple": ["true"]}]}', UNKNOWN
    yield "hydra", "m.yaml", b"_target_: os.system\ncommand: true\n", UNKNOWN
    yield "YAML with tags", "m.yaml", b"!!python/object/apply:os.system ['true']\n", UNKNOWN
    yield "YAML with tags inside", "m.yaml", b"a: !!python/object/new:os.system ['true']\n", UNKNOWN
    yield "an array of objects", "m.npy", npy(np.array([Does(exec, SOURCE)], object), allow_pickle=True), RUNS
    yield "an array of plain objects", "m.npy", npy(np.array([None, "x"], object), allow_pickle=True), UNKNOWN
    stream = io.BytesIO()
    np.savez(stream, a=np.arange(3), b=np.array([Does(exec, SOURCE)], object))
    yield "an array of objects among others", "m.npz", stream.getvalue(), RUNS
    yield "an array with an archive behind", "m.npy", npy(np.frombuffer(behind, "u1")), UNKNOWN
    yield "PMML", "m.pmml", b"<PMML/>", UNKNOWN
    yield "R", "m.rds", gzip.compress(b"X\n\0\0\0\3"), UNKNOWN
    yield "a saved model of TensorFlow", "m.pb", b"\x08\x01\x12\x00", UNKNOWN
    yield "HDF5, damaged", "m.h5", b"\x89HDF\r\n\x1a\n" + bytes(40), UNKNOWN
    yield "ONNX, other than it is", "m.onnx", b"\x08\x07" + behind, UNKNOWN


def all_shapes() -> list[tuple[str, str, bytes, str]]:
    """Return every shape: what, file name, bytes, verdict due."""
    pickles = [(what, "m.pkl", data, due) for what, data, due in (*streams(), *joblibs())]
    return [*pickles, *archives(), *others()]
