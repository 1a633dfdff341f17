"""Our own specs with their program forgotten: are the blocks and loops found again?"""

from __future__ import annotations

import torch

import dotcnn
from dotcnn.benchmarks.import_suite.spec_lines import spec_lines
from dotcnn.benchmarks.import_suite.table import Options, Table
from dotcnn.compiler.importing.import_network import Imported, folded
from dotcnn.dsl import gallery
from importing.imported import as_imported


def run(options: Options) -> int:
    table = Table(options)
    way = by_module if options.module else straight
    for name in gallery.names():
        if options.wants(name):
            table.add(name, spec_lines(name), lambda name=name: way(name))
    return table.sum_up()


def straight(name: str) -> Imported:
    """As if the graph had been read from a file, without the names of blocks."""
    return folded(as_imported(dotcnn.compile(name)), f"{name} (graph)", name)


def by_module(name: str) -> Imported:
    """Emitted, and read again as a module of torch."""
    network = dotcnn.compile(name)
    torch.manual_seed(0)
    return dotcnn.from_module(dotcnn.load(network).eval(), network.input.shape)
