"""Trains the gallery's 1-D FCN and ResNet on time series of the UCR and UEA archives, as their
specs say, and compares their accuracy on the test part with published ones:

    python benchmarks/series.py ../shared/data --seeds 0 1 2
    python benchmarks/series.py ../shared/data --sets gunpoint --set train.epochs=300 \\
        train.schedule=cosine "augment.noise=30%"

The networks are those of Wang et al. (arXiv:1611.06455), who give one figure for each set, of a
single run; Ismail Fawaz et al. (arXiv:1809.04356) trained the same networks ten times on each, and
give the mean and the standard deviation. The specs have the recipe of both: batches of a tenth of
the series, 2,000 epochs (ResNet: 1,500), a learning rate that falls where the training loss no
longer does, and the weights with the lowest training loss. The test part has no influence on which
weights are tested; the accuracy of the last epoch is printed beside. For BasicMotions, which
neither paper has for these networks, all 40 series are asked for.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy
import torch

import dotcnn
from dotcnn.specs import __file__ as specs

NETWORKS = {"fcn": "fcn_wang.cnn", "resnet": "resnet_wang.cnn"}


class Published(NamedTuple):
    once: float
    """Of Wang et al., a single run."""
    mean: float
    """Of Ismail Fawaz et al., ten runs."""
    deviation: float


PUBLISHED = {
    ("gunpoint", "fcn"): Published(1.000, 1.000, 0.000),
    ("gunpoint", "resnet"): Published(0.993, 0.991, 0.007),
    ("italypowerdemand", "fcn"): Published(0.970, 0.961, 0.003),
    ("italypowerdemand", "resnet"): Published(0.960, 0.963, 0.004),
    ("arrowhead", "fcn"): Published(0.880, 0.843, 0.015),
    ("arrowhead", "resnet"): Published(0.817, 0.845, 0.012),
    ("basicmotions", "fcn"): Published(1.000, 1.000, 0.000),
    ("basicmotions", "resnet"): Published(1.000, 1.000, 0.000),
}


def spec(network: str, channels: int, length: int) -> str:
    """The spec of the gallery for series of this size."""
    text = (Path(specs).parent / "series" / NETWORKS[network]).read_text(encoding="utf-8")
    return text.replace("input 1x140", f"input {channels}x{length}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of series_*.npz")
    parser.add_argument("--sets", nargs="+", default=sorted({name for name, _ in PUBLISHED}))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="as `cnn train --set`"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    for network in options.networks:
        for name in options.sets:
            data = (options.folder / f"series_{name}.npz").resolve()
            with numpy.load(data) as arrays:
                series, channels, length = arrays["x_train"].shape
                count = len(arrays["y_test"])
            published = PUBLISHED[name, network]
            for seed in options.seeds:
                began = time.perf_counter()
                with tempfile.TemporaryDirectory() as folder:
                    run = Path(folder) / "run"
                    result = dotcnn.train(
                        spec(network, channels, length),
                        data=str(data),
                        set={
                            "train.batch": min(series // 10, 16),
                            "train.seed": seed,
                            **dict(each.split("=", 1) for each in options.set),
                        },
                        output=run,
                        quiet=True,
                    )
                    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
                top1, last = result.metrics["top1"], json.loads(lines[-1])["val"]["top1"]
                once, mean = (round((top1 - each) * count) for each in published[:2])
                print(
                    f"{name:17} {network:7} seed {seed}  {top1:.4f}"
                    f"  {published.once:.3f} ({once:+d})"
                    f"  {published.mean:.3f} +- {published.deviation:.3f} ({mean:+d} of {count})"
                    f"  epoch {result.best_epoch}; the last {last:.4f}"
                    f"  {time.perf_counter() - began:.0f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
