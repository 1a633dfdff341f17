"""Tries `dotcnn.match` on networks of timm: as modules, and as state dicts.

    python benchmarks/matching.py            one network of each family, drawn at random
    python benchmarks/matching.py 3 7        three of each, from seed 7
    python benchmarks/matching.py NAME ...   these

The names are those of tests/specs/timm_names.txt whose outputs no test compares, up to 60 million
parameters. A match is `right` if it is complete and both networks then compute the same in double
precision, to 1e-9 of the largest output; `refused` if `require_complete` says so; and `wrong` if it
claims to be complete although they differ. The exit code is 1 if one is wrong. Needs timm.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.network import Network
from dotcnn.dsl.diagnostics import SpecError
from timm_modules import small_module
from timm_names import Reached, figures, reached, timm

MOST_PARAMS = 60_000_000
TOLERANCE = 1e-9


def drawn(count: int, seed: int) -> list[Reached]:
    """`count` networks of each family."""
    families: dict[str, list[Reached]] = {}
    for row in reached():
        known = figures().get(row.name)
        if known and known.params <= MOST_PARAMS and not row.compared:
            families.setdefault(known.family, []).append(row)
    chance = Random(seed)
    return [
        row
        for family in sorted(families)
        for row in chance.sample(families[family], min(count, len(families[family])))
    ]


def outcome(
    network: Network,
    source: nn.Module | Mapping[str, Tensor],
    images: Tensor,
    expected: Tensor,
) -> tuple[str, str]:
    """What a match comes to, and what there is to say about it."""
    found = dotcnn.match(network, source)
    fixed = [
        node.name
        for node in network.nodes
        if node.weights and not any(weight.trainable for weight in node.weights)
    ]
    try:
        found.require_complete(allow=fixed)
    except SpecError as error:
        (problem,) = error.diagnostics
        first = f" ({problem.notes[0]})" if problem.notes else ""
        return "refused", f"{problem.message}{first}"
    ours = dotcnn.load(network).double().eval()
    found.load_into(ours)
    off = float((ours(images) - expected).abs().max() / expected.abs().max())
    return "right" if off <= TOLERANCE else "wrong", f"off by {off:.1e}"


def main(arguments: list[str]) -> int:
    if timm() is None:
        print("timm is not installed: pip install timm")
        return 2
    if arguments and not arguments[0].isdecimal():
        rows = [row for row in reached() if row.name in arguments]
    else:
        count, seed, *_ = [*map(int, arguments), *(1, 0)[len(arguments) :]]
        rows = drawn(count, seed)
    counts: dict[str, Counter[str]] = {"module": Counter(), "dict": Counter()}
    # Some norms of timm compute statistics in single precision, whatever their input.
    Tensor.float = Tensor.double  # type: ignore[method-assign,assignment]
    for row in rows:
        with torch.no_grad():
            module, shape = small_module(row.name)
            network = row.network(shape)
            images = torch.randn(2, *shape, dtype=torch.float64)
            expected = module(images)
            said = {
                "module": outcome(network, module, images, expected),
                "dict": outcome(network, module.state_dict(), images, expected),
            }
        for door, (verdict, _) in said.items():
            counts[door][verdict] += 1
        print(f"{row.name:32} {said['module'][0]:8} {said['dict'][0]:8}", flush=True)
        for door, (verdict, about) in said.items():
            if verdict != "right":
                print(f"    {door}: {about}", flush=True)
    for door, each in counts.items():
        parts = ", ".join(f"{each[verdict]} {verdict}" for verdict in ("right", "refused", "wrong"))
        print(f"{door}: {parts}")
    return int(any(each["wrong"] for each in counts.values()))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
