"""Which networks of timm the gallery reaches: specs/timm_names.txt, a table of name, spec and
settings, and the figures that they have to have. Those of half of them are in
../shared/reference/timm_convnets.csv; those of the others are measured where timm is installed, and
kept in specs/timm_figures.csv.
"""

from __future__ import annotations

import csv
import importlib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import dotcnn
from dotcnn.compiler.language.overrides import read_override
from dotcnn.compiler.network import Network
from dotcnn.training.runtime.import_torchvision import torchvision
from support import SHARED

TABLE = Path(__file__).with_name("specs") / "timm_names.txt"
GIVEN = SHARED / "reference" / "timm_convnets.csv"
MEASURED = TABLE.with_name("timm_figures.csv")
COLUMNS = ("model", "family", "params", "macs", "input")


class Figures(NamedTuple):
    """What timm's module has, on images of the size that it is made for."""

    family: str
    """The file of timm that defines it."""
    params: int
    macs: int
    input: tuple[int, ...]


class Reached(NamedTuple):
    """A network of timm that a spec describes."""

    name: str
    spec: str
    settings: tuple[str, ...]
    """Parameters of the spec, as after `--set`."""
    compared: bool
    """Whether a test compares its outputs with timm's; otherwise figures only."""

    def network(self, input: tuple[int, ...]) -> Network:
        parameters = dict(map(read_override, self.settings))
        return dotcnn.compile(self.spec, parameters=parameters, input=input)


@cache
def reached() -> tuple[Reached, ...]:
    return tuple(map(_row, filter(None, map(_content, _lines()))))


def _lines() -> list[str]:
    return TABLE.read_text(encoding="utf-8").splitlines()


def _content(line: str) -> str:
    return line.split("#", 1)[0].strip()


def _row(line: str) -> Reached:
    name, spec, *settings = line.removeprefix("=").split()
    return Reached(name, spec, tuple(settings), line.startswith("="))


@cache
def figures() -> dict[str, Figures]:
    """By name, the given ones and those measured; without the former where that file is absent."""
    return {**read(MEASURED), **read(GIVEN)}


def read(path: Path) -> dict[str, Figures]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["model"]: _figures(row) for row in csv.DictReader(file)}


def _figures(row: dict[str, str]) -> Figures:
    shape = tuple(map(int, row["input"].split("x")))
    return Figures(row["family"], int(row["params"]), int(row["macs"]), shape)


def write(rows: dict[str, Figures]) -> None:
    """Writes the measured figures, by family."""
    with MEASURED.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, row in sorted(rows.items(), key=lambda item: (item[1].family, item[0])):
            writer.writerow((name, *row[:3], "x".join(map(str, row.input))))


# ---- timm itself --------------------------------------------------------------------------------


def timm() -> Any:
    """The module, or None where it is not installed; nothing needs it."""
    try:
        torchvision()
        return importlib.import_module("timm")
    except ImportError:
        return None


def families() -> dict[str, str]:
    """Of each name in those files of timm that the table names, the file; {} without timm."""
    module = timm()
    if module is None:
        return {}
    files = {family(name): None for name in [*figures(), *(row.name for row in reached())]}
    return {name: each for each in files for name in module.list_models(module=each)}


def family(name: str) -> str:
    """The file of timm that defines a network."""
    return str(timm().model_entrypoint(name).__module__).rsplit(".", 1)[-1]


def measure(name: str) -> Figures:
    """The figures of timm's module, which is built without memory for its weights. Multiply-adds
    are half of what torch's FLOP counter counts, as in the given ones; but for those of MaxViT as
    in TensorFlow, which looks up the numbers of its distances by products with ones and zeros."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), torch.no_grad():
        model = timm().create_model(name).eval()
        for module in model.modules():
            if type(module).__name__ == "RelPosBiasTf":
                module.get_bias = torch.zeros(module.num_heads, *[module.window_area] * 2).clone
        shape = tuple(model.pretrained_cfg["input_size"])
        with FlopCounterMode(display=False) as counter:
            model(torch.empty(1, *shape))
    params = sum(weight.numel() for weight in model.parameters())
    return Figures(family(name), params, counter.get_total_flops() // 2, shape)
