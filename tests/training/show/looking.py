"""Small networks for tests of what has been learned; their weights count as learned."""

from __future__ import annotations

from dataclasses import replace

import torch

from dotcnn import __version__
from dotcnn.dsl.source import Source
from dotcnn.training.show.input_images import InputImage
from dotcnn.training.show.subject import Subject, subject_of_spec


def subject(body: str, input: str = "3x16x16", *, learned: bool = True) -> Subject:
    """A network of these layers; `evaluate` leaves pixels as they are, divided by 255."""
    text = f"network Net {{\n  input {input}\n{body}\n}}\nevaluate {{ normalize none }}\n"
    opened = subject_of_spec(Source("net.cnn", text), __version__, device=torch.device("cpu"))
    return replace(opened, learned="learned") if learned else opened


def image(subject: Subject, seed: int = 0) -> InputImage:
    """An image of random pixels."""
    generator = torch.Generator().manual_seed(seed)
    shape = subject.network.input.shape
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    return InputImage(f"image {seed}", subject.preparation.prepare(pixels[None])[0], pixels)
