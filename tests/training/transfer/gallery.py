"""Networks of the gallery that start from pretrained weights, as in a spec."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.starter import starter
from dotcnn.dsl.program import GALLERY
from dotcnn.dsl.source import Source
from dotcnn.training.inference.load import live
from dotcnn.training.request import Request, request
from dotcnn.training.transfer.resolve import resolve_transfer
from dotcnn.training.transfer.setup import TransferSetup, set_up_transfer

TRAIN = """
train { data digits, epochs 1, optimizer sgd lr=0.01 }
transfer {
  from "SOURCE"
  LINES
}
"""


class Begun(NamedTuple):
    request: Request
    module: nn.Module
    """As it is when the first step of a training begins."""
    fresh: dict[str, Tensor]
    """What it was before."""
    start: TransferSetup


def spec(name: str, source: str, *lines: str, anew: bool = False) -> str:
    """What `cnn new --like` makes of a network of the gallery, with sections of its own; `anew`
    with as many classes as the data has."""
    (path,) = GALLERY.rglob(f"{name}.cnn")
    text = starter("net", Source(path.name, path.read_text(encoding="utf-8"), path))
    text = text.partition("# Training data and hyperparameters")[0]
    if anew:
        text = OUTPUTS.sub(_of_classes, text)
        assert "classes" in text, "the head is written some other way"
    return text + TRAIN.replace("SOURCE", source).replace("LINES", "\n  ".join(lines))


OUTPUTS = re.compile(
    r"^( +)(fc 1000|conv 1000|(?:classifier|efficientnet|mnasnet)\b.*)", re.MULTILINE
)
"""How networks of the gallery write what they end in, and their auxiliary heads: a layer, or a
block that takes the number."""


def _of_classes(found: re.Match[str]) -> str:
    said = found[2]
    changed = said.replace("1000", "classes") if "1000" in said else f"{said} outputs=classes"
    return found[1] + changed


def begun(folder: Path, text: str, side: int) -> Begun:
    """The same functions, one after the other, as in `cnn train`, up to the first step."""
    file = folder / "net.cnn"
    file.write_text(text, encoding="utf-8")
    asked = request(Source(file.name, text, file), input=(3, side, side))
    ready, source = resolve_transfer(asked, None)
    torch.manual_seed(0)
    module = live(ready.network, dotcnn.__version__)
    fresh = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    return Begun(ready, module, fresh, set_up_transfer(ready, module, source, None))
