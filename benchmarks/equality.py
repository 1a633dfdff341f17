"""Weights of torchvision's modules in ours: every network that both have.

    python benchmarks/equality.py [NAME ...]

Both as modules, ours as it is emitted, in float64, on small images. Weights are random; the matcher
brings them over, once from the module and once from its state dict alone, and has to come to the
same. `order` and `names` are how many tensors of the dict these told apart, where shapes do not.
Then the largest difference of outputs in evaluation; in training (dropout off) of outputs, those of
auxiliary heads and what norms keep; and of the gradients of all weights. Exit code 1 where a tensor
has no partner or anything differs by more than 1e-9. Takes minutes; the largest network has 5 GB of
weights, which are there three times.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

# In the place of this folder, whose training.py would be taken for tests/training.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from training.beside import Compared, compare
from training.foreign import TORCHVISION

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
