"""Which kind a file is, from its path, and from its first bytes when the path does not tell.

Pure functions of plain tables, fast enough for every file of a work tree. What a file *is for*
counts more than its format: `rules/r2.json` is rules, `config/r2.json` config.
"""

from __future__ import annotations

import re
from typing import Final

HEAD_BYTES = 4096
SURE, LIKELY, FALLBACK = 90, 60, 10

DOCUMENT, RECORDS, TABLE, WEIGHTS, TEXT, OPAQUE = "document", "records", "table", "weights", "text", "opaque"

_FORMATS: Final = {
    DOCUMENT: "json yaml yml toml ini cfg conf",
    RECORDS: "jsonl ndjson csv tsv tab",
    TABLE: "parquet pq feather arrow ipc npy npz orc avro",
    WEIGHTS: "joblib pkl pickle safetensors skops pt pth ckpt onnx ubj cbm pmml gguf tflite keras mlmodel",
    TEXT: "py pyi ipynb md rst sh bash zsh fish sql r rmd jl scala java kt go rs c h cc cpp hpp cu cuh js mjs ts tsx"
    " jsx svg xml txt css scss html htm proto tf hcl mk cmake gradle rb pl lua tex bib ps1 bat dockerfile jinja j2",
    OPAQUE: "png jpg jpeg gif bmp webp tif tiff ico pdf zip tar gz tgz bz2 xz zst 7z rar mp3 wav flac ogg mp4 mov avi"
    " mkv so dylib dll exe whl jar pyc docx xlsx pptx db sqlite sqlite3 duckdb woff woff2 ttf otf env",
}
_BY_SUFFIX: Final = {suffix: form for form, suffixes in _FORMATS.items() for suffix in suffixes.split()}

_FOLDERS: Final = {
    name: kind
    for kind, names in {
        "rules": "rules rule checks check bounds filters constraints expectations policies guardrails thresholds",
        "metrics": "metrics metric eval evals evaluation evaluations scores results reports",
        "alerts": "alerts alert incidents",
        "config": "config configs conf cfg settings params parameters",
        "model": "model models weights checkpoints",
        "data": "data dataset datasets features labels",
    }.items()
    for name in names.split()
}

_STEMS: Final = {
    word: kind
    for kind, words in {
        "rules": "rules rule checks bounds filters constraints expectations policies guardrails",
        "metrics": "metrics metric scores evaluation",
        "alerts": "alerts alert incidents",
        "config": "config configs settings params parameters hyperparameters hyperparams pyproject mlver",
    }.items()
    for word in words.split()
}
_NAMES: Final = {
    "makefile": "code", "dockerfile": "code", "containerfile": "code", "justfile": "code", "procfile": "code",
    "readme": "code", "license": "code", "notice": "code", "authors": "code", "jenkinsfile": "code",
    "mlproject": "code", "pipfile": "config", "setup.cfg": "config", "go.mod": "code", "codeowners": "code",
}  # fmt: skip
_REQUIREMENTS = re.compile(r"(requirements|constraints)[\w.-]*\.txt")
_PROGRAM_OF_RULES = re.compile(r"(?!test_|__|conftest)\w[\w.-]*\.(py|sql)")
_DBT = re.compile(r"(schema|sources|properties|_[\w-]+)\.ya?ml")  # of dbt, among its models: what is tested
_RECORDS = re.compile(rb"\s*\[\s*\{")
_WORDS = re.compile(r"[^a-z0-9]+")


def by_path(path: str) -> str | None:
    """Return the kind the path alone decides, or None when the first bytes must be seen."""
    folders, _, name = path.lower().rpartition("/")
    if name in _NAMES:
        return _NAMES[name]
    stem, dot, suffix = name.rpartition(".")
    if name.startswith(".env") or not dot:
        return "file" if name.startswith(".env") else None
    if not stem:
        return "code" if name.endswith(("ignore", "attributes", "rc")) else None
    form = _BY_SUFFIX.get(suffix)
    if form is TEXT:
        if suffix == "txt" and _REQUIREMENTS.fullmatch(name):
            return "config"
        if "rules" in (role(folders), _subject(stem)) and _PROGRAM_OF_RULES.fullmatch(name):
            return "rules"
        return None if suffix == "txt" and role(folders) == "model" else "code"  # LightGBM writes .txt
    if form is WEIGHTS:
        return "model"
    if form is TABLE:
        return "data"
    if form is OPAQUE:
        return _packed(stem) if suffix in ("gz", "zst", "bz2", "xz") else "file"
    if form is RECORDS:
        return _of_records(role(folders), _subject(stem))
    if form is DOCUMENT:
        if _DBT.fullmatch(name) and role(folders) == "model":
            return "rules"
        decided = _of_document(role(folders), _subject(stem))
        return None if decided == "data" else decided
    return "config" if suffix == "lock" else None


def by_head(path: str, head: bytes) -> str:
    """Return the kind of a file whose path does not tell, from its first bytes (up to `HEAD_BYTES`)."""
    folder = role(path.lower().rpartition("/")[0])
    if _BY_SUFFIX.get(path.lower().rpartition(".")[2]) is DOCUMENT:  # among data: a table of records, or about it
        return "data" if _RECORDS.match(head) else "config"
    if head.startswith((b"PAR1", b"ARROW1", b"FEA1", b"\x93NUMPY", b"ORC", b"Obj\x01")):
        return "data"
    if _is_weights(head):
        return "model"
    if head.startswith(b"tree\nversion="):  # LightGBM
        return "model"
    if head.startswith(b"\x89HDF"):  # weights of Keras, unless they lie among data
        return "data" if folder == "data" else "model"
    if _is_text(head):
        return "code"
    return "model" if folder == "model" else "file"


def score(name: str, path: str, head: bytes) -> int:
    """How sure the built-in kind `name` is that a file is its own: 0 to 100."""
    decided = by_path(path)
    if decided is not None:
        certainty = SURE if decided == name else 0
    else:
        certainty = LIKELY if by_head(path, head) == name else 0
    return certainty or (FALLBACK if name == "file" else 0)


def role(folders: str) -> str | None:
    """Return the kind the innermost telling folder name (in lower case) stands for."""
    if not folders:
        return None
    for name in reversed(folders.split("/")):
        if name in _FOLDERS:
            return _FOLDERS[name]
    return None


def _subject(stem: str) -> str | None:
    """Return the kind the file's own name stands for: all of it, or its last word (`val_metrics`)."""
    return _STEMS.get(stem) or _STEMS.get(_WORDS.split(stem)[-1])


def _of_records(role: str | None, subject: str | None) -> str:
    if subject in ("alerts", "metrics") and role not in ("data", "model"):
        return subject
    return role if role in ("alerts", "metrics") else "data"


def _of_document(role: str | None, subject: str | None) -> str:
    if subject == "rules" and role in (None, "config", "data", "model", "alerts"):
        return subject  # hand-written limits keep their nature wherever they lie
    if subject == "metrics" and role in (None, "data", "model"):
        return subject
    if role is not None:
        return role
    return subject or "config"


def _packed(stem: str) -> str:
    """Return the kind of a compressed file by the suffix under the compression's."""
    form = _BY_SUFFIX.get(stem.rpartition(".")[2])
    return "data" if form in (RECORDS, TABLE) else "model" if form is WEIGHTS else "file"


def _is_weights(head: bytes) -> bool:
    if head[:1] == b"\x80" and len(head) > 2 and 2 <= head[1] <= 5:  # pickle protocols 2 to 5
        return True
    if head.startswith(b"PK\x03\x04"):  # PyTorch, skops and Keras write zip files with these first members
        return any(name in head[:512] for name in (b"/data.pkl", b"schema.json", b"model.weights.h5")) or (
            b"metadata.json" in head[:64] and b"keras_version" in head[:256]
        )
    if head.startswith((b"GGUF", b"{L\0\0\0\0\0\0\0\x07learner", b"{L\0\0\0\0\0\0\0\x06Config")):  # XGBoost's UBJSON
        return True
    return len(head) > 9 and head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 100_000_000  # safetensors


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) >= HEAD_BYTES and error.start > len(head) - 4  # cut inside a character
    return True
