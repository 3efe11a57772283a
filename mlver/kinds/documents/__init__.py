"""The one strict way from a file to plain values: JSON, YAML, TOML, INI, JSON lines, CSV, requirements.

Strict means that nothing is guessed: duplicate keys, numbers that do not fit, text that is not
UTF-8, documents nested or expanded beyond reason are `Unreadable`, with the line where it is known.
"""

from mlver.kinds.documents.load import Record, load, load_records
from mlver.kinds.documents.paths import child, flatten, join_path, split_path
from mlver.kinds.documents.reading import MAX_BYTES, read_text

__all__ = ["MAX_BYTES", "Record", "child", "flatten", "join_path", "load", "load_records", "read_text", "split_path"]
