"""Denoising: how many dB a small network gains on CIFAR-10 with noise of deviation 25, beside a
median filter on the same noisy images.

    python benchmarks/denoise.py [--epochs 3] [--width 32]

Needs ../shared/data/cifar10_8k_2k.npz. PSNR is of 8-bit images, the mean over the 2,000 test
images; the noisy images are those of `cnn evaluate`, clipped and rounded as files have them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import dotcnn
from dotcnn.training.metrics.image_tally import psnr, rounded
from dotcnn.training.saved_request import read_record

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "cifar10_8k_2k.npz"
SPEC = """
network Denoiser {{
  input 3x32x32
  residual {{
    conv {width} 3x3 same, relu
    repeat 4 {{ conv {width} 3x3 same, relu }}
    conv 3 3x3 same
  }}
}}
train {{
  data npz "{data}"
  degrade noise 25
  epochs {epochs}
  batch 32
  optimizer adam lr=2e-3
}}
augment {{ flip horizontal }}
"""


def median(images: torch.Tensor) -> torch.Tensor:
    """Each pixel becomes the median of 3x3."""
    padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
    windows = padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(4)
    return windows.median(4).values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--width", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(1)
    spec = SPEC.format(data=DATA, width=options.width, epochs=options.epochs)
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        result = dotcnn.train(spec, output=Path(folder) / "run", device="cpu", quiet=True)
        seconds = time.process_time() - started
        record = read_record(Path(folder) / "run")["result"]
    base = record["comparisons"][0]["base"]
    print(f"noisy    {base['psnr']:.2f} dB, SSIM {base['ssim']:.3f}")
    print(f"median   {median_psnr():.2f} dB")
    gained = result.metrics["psnr"] - base["psnr"]
    print(
        f"network  {result.metrics['psnr']:.2f} dB, SSIM {result.metrics['ssim']:.3f}:"
        f" {gained:+.2f} dB in {seconds:.0f} s of one core"
    )


def median_psnr() -> float:
    """Of the same noisy images: those of evaluation."""
    from dotcnn.compiler.plan import plan
    from dotcnn.training.data.open import open_data

    spec = SPEC.format(data=DATA, width=4, epochs=1)
    opened = open_data(plan(dotcnn.compile(spec)), Path())
    values = [
        psnr(rounded(median(inputs.float() / 255)), targets / 255)
        for inputs, targets, _ in opened.evaluation("val")(0)
    ]
    return float(torch.cat(values).mean())


if __name__ == "__main__":
    main()
