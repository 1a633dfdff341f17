"""Trains the gallery's 1-D FCN and ResNet on time series of the UCR and UEA archives, and compares
their accuracy on the test part with published ones:

    python benchmarks/series.py ../shared/data --seeds 0 1 2
    python benchmarks/series.py ../shared/data --sets italypowerdemand --augment "noise 30%"

The networks are those of Wang et al. (arXiv:1611.06455), who give one figure for each set, of a
single run; Ismail Fawaz et al. (arXiv:1809.04356) trained the same networks ten times on each, and
give the mean and the standard deviation. Both trained for 1,500 to 2,000 epochs; here the rate
falls to zero, in fewer. For BasicMotions, which they do not have, all 40 series are asked for. The
accuracy is that of the last epoch: none is chosen by the test part.
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

TRAIN = """
train {{
  data npz "{data}"
  epochs {epochs}
  batch {batch}
  optimizer adam lr=0.001
  validate every={epochs}
  seed {seed}
}}
evaluate {{ {evaluate} }}
"""


def spec(
    network: str, data: Path, epochs: int, seed: int, batch: int = 16, augment: str = ""
) -> str:
    """The spec of the gallery with the input and the classes of the data."""
    with numpy.load(data) as arrays:
        _, channels, length = arrays["x_train"].shape
    text = (Path(specs).parent / "series" / NETWORKS[network]).read_text(encoding="utf-8")
    text = text.replace("input 1x140", f"input {channels}x{length}").replace("fc 5", "fc classes")
    # The series of the UCR archive are z-normalized already; those of BasicMotions are not.
    evaluate = "normalize each" if channels == 1 else "normalize measured"
    text += TRAIN.format(data=data, epochs=epochs, batch=batch, seed=seed, evaluate=evaluate)
    return f"{text}augment {{ {augment} }}\n" if augment else text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of series_*.npz")
    parser.add_argument("--sets", nargs="+", default=sorted({name for name, _ in PUBLISHED}))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--batch", type=int, default=16, help="both papers: a tenth of the series")
    parser.add_argument("--augment", default="", help="directives of `augment`")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for network in options.networks:
        for name in options.sets:
            data = (options.folder / f"series_{name}.npz").resolve()
            with numpy.load(data) as arrays:
                count = len(arrays["y_test"])
            published = PUBLISHED[name, network]
            for seed in options.seeds:
                began = time.perf_counter()
                with tempfile.TemporaryDirectory() as folder:
                    run = Path(folder) / "run"
                    chosen = options.batch, options.augment
                    text = spec(network, data, options.epochs, seed, *chosen)
                    dotcnn.train(text, output=run, quiet=True)
                    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
                top1 = json.loads(lines[-1])["val"]["top1"]
                once, mean = (round((top1 - each) * count) for each in published[:2])
                print(
                    f"{name:17} {network:7} seed {seed}  {top1:.4f}"
                    f"  {published.once:.3f} ({once:+d})"
                    f"  {published.mean:.3f} +- {published.deviation:.3f} ({mean:+d} of {count})"
                    f"  {time.perf_counter() - began:.0f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
