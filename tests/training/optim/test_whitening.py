"""`init whitening` in fine-tuning: pretrained filters stay what they are, missing ones are those of
the new images, and neither is trained, whatever is unfrozen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ..small import Looker, last, trained

pytestmark = pytest.mark.usefixtures("no_report")

SPEC = """
network Net {
  input 1x8x8
  init whitening
  stem: conv 8 2x2 bias=on, relu
  layer: conv 8 3x3 stride=2, relu
  flatten
  fc classes
}
train { data digits, epochs 2, batch 500, optimizer adamw lr=0.01, precision fp32 }
"""


def images(count: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 1, 8, 8), generator=generator).cumsum(3) // 8
    return pixels.to(torch.uint8), torch.arange(count) % 10


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dotcnn.training.page.write.write_report", lambda *_: None)
        trained(folder, SPEC)
    return folder


@pytest.mark.parametrize("lines", ["", ", freeze all, unfreeze at epoch 2"])
def test_filters_of_the_weights_stay(first: Path, tmp_path: Path, lines: str) -> None:
    """Those of the new images would be others; the bias is trained."""
    spec = f'{SPEC}transfer {{ from "{first}"{lines} }}'
    trained(tmp_path / "run", spec, data=images(200, 1), set={"train.batch": 50})
    before, after = last(first), last(tmp_path / "run")
    assert torch.equal(after["stem.weight"], before["stem.weight"])
    assert not torch.equal(after["stem.bias"], before["stem.bias"])
    assert not torch.equal(after["layer.weight"], before["layer.weight"])


def test_filters_that_no_weights_have_are_those_of_the_images(first: Path, tmp_path: Path) -> None:
    """As in a network that starts from nothing."""
    data = images(200, 1)
    spec = f"{SPEC}evaluate {{ normalize mean=0.5 std=0.2 }}\n"
    transfer = f'transfer {{ from "{first}", head reset part=stem }}'
    looker = Looker()
    trained(tmp_path / "run", spec + transfer, data=data, set={"train.batch": 50}, callback=looker)
    assert looker.begun is not None
    lines = " ".join(looker.begun.choices)
    assert "stem gets filters that whiten the training images" in lines
    assert "random" not in lines
    trained(tmp_path / "new", spec, data=data, set={"train.batch": 50})
    new = last(tmp_path / "new")["stem.weight"]
    assert torch.equal(last(tmp_path / "run")["stem.weight"], new)
    assert not torch.equal(last(first)["stem.weight"], new)
