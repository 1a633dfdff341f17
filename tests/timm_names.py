"""Which networks of timm the gallery reaches: specs/timm_names.txt, a table of name, spec and
settings, and the figures of ../shared/reference/timm_convnets.csv that they have to have."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

import dotcnn
from dotcnn.compiler.language.overrides import read_override
from dotcnn.compiler.network import Network
from support import SHARED

TABLE = Path(__file__).with_name("specs") / "timm_names.txt"
FIGURES = SHARED / "reference" / "timm_convnets.csv"


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
    """By name; empty where the file is absent."""
    if not FIGURES.exists():
        return {}
    with FIGURES.open(encoding="utf-8", newline="") as file:
        return {row["model"]: _figures(row) for row in csv.DictReader(file)}


def _figures(row: dict[str, str]) -> Figures:
    shape = tuple(map(int, row["input"].split("x")))
    return Figures(row["family"], int(row["params"]), int(row["macs"]), shape)
