"""Makes the PyTorch files beside it. Not run by the tests: PyTorch is too large for every machine.

    python -m venv torch && torch/bin/pip install torch==2.13.0 numpy && torch/bin/python make_torch.py

Written with torch 2.13.0 on Linux x86_64, CPython 3.11. `torch.json` holds what PyTorch itself reads from the files.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.ReLU(), torch.nn.Linear(3, 1))


def trained(steps: int) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    x = torch.randn(16, 4)
    for _ in range(steps):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    return model, optimizer


def tensors() -> dict[str, torch.Tensor]:
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    made = {
        "base": base,
        "row": base[1],
        "column": base[:, 2],
        "turned": base.t(),
        "block": base[1:3, 2:5],
        "wide": torch.tensor([7.0]).expand(2, 3),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 5),
        "channels_last": torch.arange(16.0).reshape(1, 2, 2, 4).to(memory_format=torch.channels_last),
        "grad": torch.ones(2, requires_grad=True),
    }
    for name in (
        "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64",
        "bool", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2",
    ):  # fmt: skip
        made[name] = torch.tensor([0, 1, 3, 100]).to(getattr(torch, name))
    return made


def told(tensor: torch.Tensor) -> dict[str, Any]:
    kind = str(tensor.dtype).removeprefix("torch.")
    wide = tensor.detach().to(torch.complex128 if tensor.is_complex() else torch.float64)
    values = torch.view_as_real(wide).tolist() if tensor.is_complex() else wide.tolist()
    return {"dtype": kind, "shape": list(tensor.shape), "values": values}


def leave_out_debugging(path: Path) -> None:
    """Without the members that tell where PyTorch is installed."""
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if not name.endswith(".debug_pkl")}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in kept.items():
            archive.writestr(zipfile.ZipInfo(name), data)


def turn_round(source: Path, target: Path) -> None:
    """The file as a machine with the other byte order writes it; PyTorch itself says whether that is true."""
    kept = torch.load(source)
    widths = {f"{source.stem}/data/{n}": t.element_size() // (1 + t.is_complex()) for n, t in enumerate(kept.values())}
    with zipfile.ZipFile(source) as archive:
        parts = {name: bytearray(archive.read(name)) for name in archive.namelist()}
    for name, width in widths.items():
        for at in range(0, len(parts[name]), width):
            parts[name][at : at + width] = reversed(parts[name][at : at + width])
    parts[f"{source.stem}/byteorder"] = bytearray(b"big")
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), bytes(data))
    for name, tensor in torch.load(target).items():
        assert torch.equal(tensor, kept[name]), name


def main() -> None:
    model, optimizer = trained(3)
    torch.save(model.state_dict(), HERE / "state_dict.pt")
    torch.save(trained(4)[0].state_dict(), HERE / "state_dict_later.pt")
    checkpoint = {
        "epoch": 3,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "device": torch.device("cpu"),
        "size": torch.Size([4, 3]),
    }
    torch.save(checkpoint, HERE / "checkpoint.pth")
    torch.save(model, HERE / "module.pt")
    torch.save(tensors(), HERE / "tensors.pt")
    apart = {
        name: torch.tensor([0, 1, -3, 100]).to(getattr(torch, name))
        for name in ("float64", "float32", "float16", "bfloat16", "int64", "int16", "uint8", "complex64")
    }
    torch.save(apart, HERE / "little.pt")
    turn_round(HERE / "little.pt", HERE / "big.pt")
    torch.save(model.state_dict(), HERE / "legacy.pt", _use_new_zipfile_serialization=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Linear(2, 1)).save(str(HERE / "script.pt"))
    leave_out_debugging(HERE / "script.pt")
    read = {
        "torch": torch.__version__,
        "state_dict.pt": {name: told(tensor) for name, tensor in model.state_dict().items()},
        "tensors.pt": {name: told(tensor) for name, tensor in tensors().items()},
    }
    (HERE / "torch.json").write_text(json.dumps(read, indent=None) + "\n")


if __name__ == "__main__":
    main()
