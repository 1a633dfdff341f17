"""Weights that fit, but are of a network that computes something else: a warning."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dotcnn.training.weights.activation_check import OUTPUT, Agreement, Divergence, compare


class Net(nn.Module):
    """Two convolutions with an activation and a pool between them, and a head."""

    def __init__(self, act: nn.Module, padding: int = 1, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(channels, 4, 3, padding=padding)
        self.norm = nn.BatchNorm2d(4)
        self.act = act
        self.drop = nn.Dropout(0.5)
        self.second = nn.Conv2d(4, 4, 3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        x = self.drop(self.act(self.norm(self.first(images))))
        found: Tensor = self.head(self.pool(self.second(x)).flatten(1))
        return found


PARTNERS = {name: name for name in ("first", "norm", "second", "head")}


def compared(one: nn.Module, other: nn.Module, *anew: str, channels: int = 3) -> Agreement:
    return compare(one, other, PARTNERS, anew, [(3, 8, 8)], channels)


def test_the_same_network() -> None:
    """In training as they are, to which they return; no random number is drawn."""
    one, other = Net(nn.ReLU()).train(), Net(nn.ReLU(inplace=True)).eval()
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    assert compared(one, other) == Agreement(4, None)
    assert torch.equal(before, torch.random.get_rng_state())
    assert one.training
    assert one.drop.training
    assert not other.training
    assert int(one.norm.num_batches_tracked or 0) == 0


def test_another_activation_is_seen_where_it_arrives() -> None:
    found = compared(Net(nn.ReLU()), Net(nn.SiLU()))
    assert found.divergence is not None
    assert found.divergence.layer == "second"
    assert found.divergence.difference is not None
    assert found.divergence.difference > 0.01


def test_other_numbers_altogether() -> None:
    assert compared(Net(nn.ReLU()), Net(nn.ReLU(), padding=0)) == Agreement(
        2, Divergence("second", None)
    )


class Padding(nn.Conv2d):
    """Pads its input itself, as timm's `Conv2dSame`."""

    around = (0, 1, 0, 1)

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(images, self.around))


class Padded(nn.Sequential):
    def __init__(self, first: nn.Conv2d) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d((0, 1, 0, 1)) if type(first) is nn.Conv2d else nn.Identity()
        self.first = first


@pytest.mark.parametrize("swapped", [False, True])
def test_padding_inside_a_layer_or_before_it(swapped: bool) -> None:
    inside, before = Padding(3, 4, 3, stride=2), nn.Conv2d(3, 4, 3, stride=2)
    before.load_state_dict(inside.state_dict())
    pair = (Padded(before), Padded(inside)) if swapped else (Padded(inside), Padded(before))
    assert compare(*pair, {"first": "first"}, (), [(3, 8, 8)], 3) == Agreement(2, None)
    inside.around = (1, 0, 1, 0)
    found = compare(*pair, {"first": "first"}, (), [(3, 8, 8)], 3)
    assert found.divergence is not None
    assert found.divergence.layer == OUTPUT


def test_layers_after_a_reinitialized_one_are_not_compared() -> None:
    one, other = Net(nn.ReLU()), Net(nn.SiLU())
    assert compared(one, other, "norm") == Agreement(1, None)


def test_only_the_order_of_axes_is_another() -> None:
    class Last(nn.Module):
        """Its head is fully connected at each place, with channels last."""

        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 4, 3)
            self.second = nn.Linear(4, 5)

        def forward(self, images: Tensor) -> Tensor:
            found: Tensor = self.second(self.first(images).permute(0, 2, 3, 1))
            return found

    torch.manual_seed(0)
    last = Last()
    first = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 1))
    first[0].load_state_dict(last.first.state_dict())
    with torch.no_grad():
        first[1].weight.copy_(last.second.weight[:, :, None, None])
        first[1].bias.copy_(last.second.bias)
    partners = {"0": "first", "1": "second"}
    assert compare(first, last, partners, (), [(3, 8, 8)], 3) == Agreement(3, None)


def test_gray_input_for_color_weights() -> None:
    """A filter of ours sees what theirs sees of three colours that are the same."""
    one, other = Net(nn.ReLU(), channels=1), Net(nn.ReLU())
    colours = one.first.weight.repeat(1, 3, 1, 1) / 3
    other.load_state_dict({**one.state_dict(), "first.weight": colours})
    partners = {name: name for name in ("second", "head")}
    assert compare(one, other, partners, (), [(1, 8, 8)], 3) == Agreement(3, None)
    assert compare(other, one, partners, (), [(3, 8, 8)], 1) == Agreement(3, None)


def test_what_follows_the_last_layer() -> None:
    one, other = Net(nn.ReLU()), nn.Sequential(Net(nn.ReLU()), nn.Softmax(1))
    partners = {name: f"0.{name}" for name in PARTNERS}
    found = compare(one, other, partners, (), [(3, 8, 8)], 3)
    assert found.divergence is not None
    assert found.divergence.layer == OUTPUT


@pytest.mark.parametrize("size", [7, 9])
def test_a_source_that_rejects_the_image(size: int) -> None:
    class Fixed(Net):
        def forward(self, images: Tensor) -> Tensor:
            assert images.shape[-1] == size
            return super().forward(images)

    with pytest.raises(AssertionError):
        compared(Net(nn.ReLU()), Fixed(nn.ReLU()))
