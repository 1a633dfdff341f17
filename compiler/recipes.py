"""Training recipes of `cnn new`: `train`, `augment` and `transfer` sections that suit a network.
One for small images from scratch (as for CIFAR), one for large images from scratch (as for
ImageNet, but for small data sets), and one for fine-tuning. A learning rate of 0.05 is too high
without norms, as in AlexNet, VGG and SqueezeNet; it also kills the ReLUs of a new head on features
that are not normalized.
"""

from __future__ import annotations

from .language.values import quoted
from .network import Network

SMALL = 64
"""Up to this many pixels along a side, the recipe is that of CIFAR."""


def sections(network: Network | None, source: str) -> dict[str, str]:
    """The sections by name, each with a comment above; `source` is the source of pretrained
    weights, "" for none.
    """
    shape = network.input.shape if network is not None else (3, 32, 32)
    side = max(shape[1:]) if len(shape) == 3 else 32
    norms = network is None or any(node.op.kind == "norm" for node in network.nodes)
    flip = "" if shape[0] == 1 else "  flip horizontal # take it out where left and right differ\n"
    if source:
        return {
            "train": _TRAIN_HEAD,
            "augment": _AUGMENT.format(crop=_crop(side, "60%"), flip=flip),
            "transfer": _TRANSFER.format(source=quoted(source)),
        }
    if side <= SMALL:
        train = _TRAIN_SMALL.format(lr="0.05" if norms else "0.01")
        return {"train": train, "augment": _AUGMENT.format(crop=_crop(side, ""), flip=flip)}
    train = _TRAIN_LARGE.format(lr="0.05" if norms else "0.01")
    return {"train": train, "augment": _AUGMENT.format(crop=_crop(side, "35%"), flip=flip)}


def _crop(side: int, least: str) -> str:
    if side > SMALL:
        return f"crop scale={least}..100% # a random part, resized to the input"
    return f"crop pad={max(1, side // 8)} # shifts it"


_TRAIN_SMALL = """\
# Training data and hyperparameters. The folder holds a folder of pictures for each class.
train {{
  data folder "data" val=20%
  epochs 30
  batch 64
  optimizer sgd lr={lr} momentum=0.9 nesterov weight_decay=5e-4
  schedule cosine warmup=3
  loss cross_entropy smoothing=0.1
}}"""

_TRAIN_LARGE = """\
# Training data and hyperparameters. The folder holds a folder of pictures for each class. Large
# networks need many pictures from scratch: with fewer than a few thousand, fine-tune
# (`cnn new --from`).
train {{
  data folder "data" val=20%
  epochs 90
  batch 64
  optimizer sgd lr={lr} momentum=0.9 nesterov weight_decay=1e-4
  schedule cosine warmup=5
  loss cross_entropy smoothing=0.1
}}"""

_TRAIN_HEAD = """\
# Training data and hyperparameters. The folder holds a folder of pictures for each class. The
# learning rate is small: only a new head is trained, on pretrained features.
train {
  data folder "data" val=20%
  epochs 20
  batch 32
  optimizer sgd lr=0.005 momentum=0.9
  schedule cosine warmup=1
}"""

_AUGMENT = """\
# Augmentation: random changes to each picture, new ones in each epoch.
augment {{
  {crop}
{flip}  color brightness=0.2 contrast=0.2
}}"""

_TRANSFER = """\
# Pretrained weights. Only the head is trained; with some hundred pictures of each class,
# train more of the network: `freeze until …`, or `unfreeze at epoch 10 until …`.
transfer {{
  from {source}
  head reset
  freeze all
}}"""
