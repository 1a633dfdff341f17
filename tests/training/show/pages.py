"""Pages of `cnn show` for small networks, for tests."""

from __future__ import annotations

from typing import Any

import torch

from dotcnn.compiler.commands.specs import source_of
from dotcnn.dsl.source import Source
from dotcnn.training.show.input_images import InputImage
from dotcnn.training.show.page.page_html import page_html
from dotcnn.training.show.subject import Subject, subject_of_spec

LAYERS = """\
network Layers {
  input 4x13x12
  filter sobel same, filter line same, abs
  filter gaussian 5x5 same mode=replicate
  conv 8 3x3 same, bn, relu
  residual { conv 8 3x3 same mode=reflect, bn, gelu, depthwise 3x3 same, layerscale 0.5 }
  pool max 3x3 stride=2 pad=1
  conv 8 3x3 groups=2 dilation=2 pad=2, leaky
  pool avg 3x3 stride=2 pad=1 ceil, prelu per=channel
  concat {
    | conv 4 1x1, ln
    | pool max 3x3 stride=1 same, separable 6 3x3 same
    | pool avg adaptive=2x2, upsample to=4x4 mode=bilinear, instancenorm affine=on
  }
  shuffle groups=2, silu, lrn 3, pad top=1 left=2 mode=reflect, crop 4x4 top=0
  deconv 8 3x3 stride=2 pad=1, permute (0, 2, 1)
  pool mixed 3x3 stride=1 same per=channel, pool tree 2x2 stride=1, pool wavelet
  relu, pool stochastic 2x2 stride=1, upsample to=8x8 mode=bicubic, pool lp 3x3 p=3 stride=1
  pool l2 2x2, gn groups=4, dropout
  concat { | spp 2 1 | flatten }
  fc 12, ln, tanh, fc 5, softmax
}
"""

LARGE = (
    LAYERS.replace("13x12", "40x36")
    .replace("conv 8", "conv 96")
    .replace("to=4x4", "to=11x10")
    .replace(", crop 4x4 top=0", "")
)
"""The same, too large for a small page."""

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028"


def subject_of(spec: str) -> Subject:
    source = Source("net.cnn", spec) if "\n" in spec else source_of(spec)
    subject = subject_of_spec(source, "0", device=torch.device("cpu"))
    generator = torch.Generator().manual_seed(3)
    for module in subject.module.modules():  # statistics as after training
        if isinstance(module, torch.nn.BatchNorm2d) and module.track_running_stats:
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
    return subject


def images_of(subject: Subject, count: int = 1) -> list[InputImage]:
    generator = torch.Generator().manual_seed(7)
    shape = subject.network.input.shape
    images = []
    for number in range(count):
        pixels = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
        prepared = subject.preparation.prepare(pixels[None])[0]
        images.append(InputImage(f"image {number}", prepared, pixels))
    return images


def page_of(
    spec: str, count: int = 1, *, training: bool = False, **options: Any
) -> tuple[Subject, dict[int, Any], str]:
    subject = subject_of(spec)
    images = images_of(subject, count)
    torch.manual_seed(5)
    state = {name: value.clone() for name, value in subject.module.state_dict().items()}
    with torch.no_grad():
        subject.module.train(training)
        outputs = subject.layers(torch.stack([image.input for image in images]))
        subject.module.eval()
    subject.module.load_state_dict(state)
    html = page_html(subject, images, outputs, training=training, **options)
    return subject, outputs, html
