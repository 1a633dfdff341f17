"""Loads torchvision's weights into emitted modules and compares outputs and gradients.

    python benchmarks/equality.py [NAME ...]

Both modules are run in float64 on small images, with random weights. The weights are matched twice,
from torchvision's module and from its state dict alone; both matches must be the same. `order` and
`names` are the numbers of tensors of the state dict that can be told apart only by order or by
name. Then follow the largest differences of the outputs in evaluation; in training (with dropout
off) of the outputs, those of auxiliary heads, and the running statistics; and of the gradients of
all weights. The exit code is 1 if a tensor has no partner, or if anything differs by more than
1e-9. It takes minutes; the largest network has 5 GB of weights, which are in memory three times.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

# Replaces this folder, whose training.py would be found in place of tests/training.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from training.beside import Compared, compare
from typical import TORCHVISION

TOLERANCE = 1e-9


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("names", nargs="*", metavar="NAME", help="by default all")
    names: list[str] = options.parse_args().names
    unknown = sorted(set(names) - set(TORCHVISION))
    if unknown:
        print(f"not one of torchvision's: {', '.join(unknown)}", file=sys.stderr)
        return 2
    print(
        f"{'network':20}{'tensors':>8}{'module':>8}{'dict':>6}{'order':>7}{'names':>7}"
        f"{'evaluation':>12}{'training':>10}{'gradients':>11}{'seconds':>9}"
    )
    wrong = []
    for name in names or TORCHVISION:
        start = time.perf_counter()
        found = compare(name)
        print(f"{line(name, found)}{time.perf_counter() - start:9.1f}", flush=True)
        if not found.complete or found.worst > TOLERANCE:
            wrong.append(name)
    print(f"\n{len(names or TORCHVISION)} networks; {len(wrong)} differ: {', '.join(wrong) or '-'}")
    return 1 if wrong else 0


def line(name: str, found: Compared) -> str:
    return (
        f"{name:20}{found.tensors:8}{found.of_module:8}{found.of_dict:6}"
        f"{found.told_by['order']:7}{found.told_by['names']:7}"
        f"{found.evaluation:12.1e}{found.training:10.1e}{found.gradients:11.1e}"
    )


if __name__ == "__main__":
    sys.exit(main())
