"""Files cut short or changed at random are units or Unreadable, and nothing else."""

from __future__ import annotations

import pickle
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from mlver.kinds.base import Unreadable
from tests.kinds.model import making
from tests.kinds.model.making import COMPRESSIONS, KIND, joblib_bytes, read, values

FILES = {
    "joblib": joblib_bytes(making.bundle()),
    "joblib, columns": joblib_bytes(making.columns()),
    "zlib": joblib_bytes(making.bundle(), 3),
    "pickle 0": pickle.dumps(making.columns(), 0),
    "pickle 2": pickle.dumps(making.columns(), 2),
    "pickle 4": pickle.dumps(making.forest(), 4),
    "pickle 5": pickle.dumps(making.arrays_of_every_dtype(), 5),
    "safetensors": save({"a": np.arange(6.0), "b": np.ones((2, 2), "f4")}, {"format": "np"}),
    "json": b'{"kind": "rule", "when": [{"x": 1}, {"y": [1, 2]}]}',
}


def outcome(data: bytes) -> str:
    """Read and use everything; return what came of it."""
    try:
        units = read(data)
    except Unreadable as error:
        assert str(error)
        assert "\n" not in str(error)
        return "unreadable"
    said = values(units)
    assert said or KIND.summary(units)["parameters"] == 0
    assert all("\n" not in KIND.text(key, value) for key, value in said.items())
    repr(KIND.summary(units))
    return "units"


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_unreadable(name: str) -> None:
    data = FILES[name]
    assert outcome(data) == "units"
    for length in [*range(0, len(data), 97), len(data) - 1]:
        assert outcome(data[:length]) == "unreadable", length


@pytest.mark.parametrize("compress", COMPRESSIONS[1:])
def test_a_truncated_compressed_file_is_unreadable(compress: object) -> None:
    data = joblib_bytes(making.columns(), compress)
    for length in range(1, len(data), 97):
        assert outcome(data[:length]) == "unreadable", length


@pytest.mark.parametrize("compress", COMPRESSIONS[1:])
def test_bytes_after_compressed_data_are_unreadable(compress: object) -> None:
    with pytest.raises(Unreadable, match="bytes after the end"):
        read(joblib_bytes({"a": 1}, compress) + b"more")


@pytest.mark.parametrize("name", FILES)
def test_random_damage_never_breaks_the_reader(name: str) -> None:
    chance = random.Random(name)
    data = FILES[name]
    outcomes = set()
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 1, 3, 20))):
            at = chance.randrange(len(damaged))
            action = chance.randrange(4)
            if action == 0:
                damaged[at] = chance.randrange(256)
            elif action == 1:
                damaged[at] ^= 1 << chance.randrange(8)
            elif action == 2:
                del damaged[at : at + chance.randrange(1, 9)]
            else:
                damaged[at:at] = chance.randbytes(chance.randrange(1, 9))
        outcomes.add(outcome(bytes(damaged)))
    assert "unreadable" in outcomes


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_random_bytes_never_break_the_reader(data: bytes) -> None:
    outcome(data)
    outcome(b"\x80\x04" + data + b".")


_OPCODES = st.sampled_from(
    [b"(", b"N", b"]", b"}", b")", b"K\x01", b"\x8c\x01a", b"t", b"l", b"d", b"0", b"1", b"2", b"a", b"e", b"s", b"u",
     b"b", b"R", b"\x81", b"\x85", b"\x86", b"\x87", b"\x8f", b"\x90", b"\x91", b"\x93", b"\x94", b"h\x00",
     b"q\x00", b"o",
     b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"cnumpy._core.multiarray\n_reconstruct\n", b"C\x02ab", b"\x8c\x02f8",
     b"cnumpy._core.multiarray\nscalar\n", b"cbuiltins\nset\n", b"ccopyreg\n_reconstructor\n", b"cbuiltins\nobject\n",
     b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n", b"cdatetime\ndatetime\n", b"c_codecs\nencode\n", b"\x88", b"\x92"]
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(_OPCODES, max_size=30))
def test_random_opcodes_never_break_the_machine(opcodes: list[bytes]) -> None:
    outcome(b"\x80\x04" + b"".join(opcodes) + b".")


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8)
_KEYS = st.text(max_size=6) | st.integers(-5, 5) | st.booleans() | st.none()


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        _KEYS,
        st.recursive(
            _LEAVES,
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
            max_leaves=12,
        ),
        max_size=5,
    )
)
def test_every_protocol_of_any_plain_value_gives_the_same_units(made: dict[object, object]) -> None:
    forms = [repr(values(read(pickle.dumps(made, protocol)))) for protocol in range(6)]
    forms.append(repr(values(read(joblib_bytes(made)))))
    assert len(set(forms)) == 1
