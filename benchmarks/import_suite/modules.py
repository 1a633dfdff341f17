"""Networks of torchvision and timm, from their modules and from ONNX."""

from __future__ import annotations

import contextlib
import csv
import gc
import io
import logging
import tempfile
import warnings
from pathlib import Path
from random import Random

import torch
from torch import nn

import dotcnn
from dotcnn.benchmarks.import_suite.corpora import SHARED, from_file
from dotcnn.benchmarks.import_suite.spec_lines import spec_lines
from dotcnn.benchmarks.import_suite.table import Options, Table
from dotcnn.compiler.importing.import_network import Imported
from dotcnn.training.runtime.import_torchvision import torchvision
from timm_names import figures, reached, timm

ZOO = SHARED / "reference" / "torchvision_zoo.csv"
LARGEST = 200_000_000
"""Weights of a network of timm: larger ones need more memory than most machines have."""


def zoo() -> dict[str, int]:
    """torchvision's networks for classification, and the side of the images that they are for."""
    with ZOO.open(encoding="utf-8", newline="") as file:
        return {row["model"]: int(row["crop"]) for row in csv.DictReader(file)}


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    module: nn.Module = torchvision("models").get_model(name, weights=None, **options)
    return module.eval()


def torchvision_networks(options: Options) -> int:
    table = Table(options)
    for name, side in zoo().items():
        if options.wants(name):

            def read(name: str = name, side: int = side) -> Imported:
                return dotcnn.from_module(made(name), (3, side, side))

            table.add(name, spec_lines(name), read)
            gc.collect()
    return table.sum_up()


def torchvision_by_onnx(options: Options) -> int:
    """The files are exported as torch does it by default."""
    table = Table(options)
    with tempfile.TemporaryDirectory() as folder:
        for name, side in zoo().items():
            if options.wants(name):
                path = exported(made(name), side, Path(folder) / f"{name}.onnx")
                table.add(name, spec_lines(name), lambda path=path: from_file(path))
                for each in Path(folder).iterdir():
                    each.unlink()
                gc.collect()
    return table.sum_up()


def exported(module: nn.Module, side: int, path: Path) -> Path:
    """Written by torch's exporter, which says much while it works."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    quiet = contextlib.redirect_stdout(io.StringIO())
    with warnings.catch_warnings(), quiet, contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (torch.randn(1, 3, side, side),), path, external_data=True)
    return path


def timm_networks(options: Options) -> int:
    """Each name that the table of timm's names reaches, with random weights."""
    package = timm()
    if package is None:
        print("timm is not installed: pip install timm")
        return 0
    rows = [row for row in reached() if options.wants(row.name) and row.name in figures()]
    rows = [row for row in rows if figures()[row.name].params <= LARGEST]
    if options.sample:
        rows = Random(options.seed).sample(rows, min(options.sample, len(rows)))
    table = Table(options)
    for row in rows:

        def read(name: str = row.name) -> Imported:
            torch.manual_seed(0)
            module = package.create_model(name).eval()
            return dotcnn.from_module(module, figures()[name].input)

        table.add(row.name, spec_lines(row.spec), read)
        gc.collect()
    return table.sum_up()
