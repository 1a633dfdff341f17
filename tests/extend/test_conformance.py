"""`dotcnn.testing.conformance`: what is right passes, and what is wrong is told in a sentence."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
import torch
from torch import Tensor

from dotcnn.compiler.extend.load_plugin import load_file
from dotcnn.compiler.ops.conv import Conv
from dotcnn.plugins import (
    Augmentation,
    Kept,
    Layer,
    Loss,
    Metric,
    Optimizer,
    Pointwise,
    SameShape,
    Schedule,
    Shape,
    TorchText,
    Weight,
    Window,
    call_text,
    constructor,
    learning_rate,
    number,
    size,
    torch_class,
)
from dotcnn.testing import NotConforming, conformance
from support import ROOT


@pytest.fixture
def mine() -> Any:
    return load_file(ROOT / "docs" / "guide" / "plugins" / "mine.py").module


@pytest.mark.parametrize(
    ("name", "cases"), [("Inv", 3), ("Poly", 0), ("Matthews", 0), ("Levels", 0)]
)
def test_the_classes_of_the_guide_conform(mine: Any, name: str, cases: int) -> None:
    assert "conforms" in str(conformance(getattr(mine, name), cases=cases))


@pytest.mark.slow
def test_the_layer_of_the_guide_conforms_whatever_its_arguments(mine: Any) -> None:
    assert conformance(mine.Inv, cases=40, seed=1).tried == 40


def test_layers_of_the_language_conform() -> None:
    assert conformance(Conv, cases=4).tried == 4


@torch_class
def Scaled():  # type: ignore[no-untyped-def] # noqa: N802
    class Scaled(torch.nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(channels))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.weight.view(-1, 1, 1)

    return Scaled


class Scale(SameShape, Layer):
    """A factor for each channel."""

    word = "scaled"
    kind = "norm"
    spatial_axes = (2,)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("weight", (inputs[0][0],)),)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(constructor("Scaled", inputs[0][0]), imports=("Scaled",))


def test_a_layer_with_a_class_of_its_own_conforms() -> None:
    assert conformance(Scale, cases=4).tried == 4


class Wide(Scale):
    word = "wide"

    def output(self, *inputs: Shape) -> Shape:
        return (inputs[0][0] + 1, *inputs[0][1:])


class Bare(Scale):
    word = "bare"

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return ()


class Costly(Scale):
    word = "costly"

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return size(output)


class Spendthrift(Scale):
    word = "spendthrift"

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return ()

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(call="{0}.abs() * {0}")


class Forgetful(Scale):
    word = "forgetful"

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()


class Flipped(Pointwise, Layer):
    word = "flipped"
    kind = "shape"

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(call=call_text("{0}.flip(2)"))


class Unknown(Scale):
    word = "unknown"

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(constructor("Gone", inputs[0][0]), imports=("Gone",))


class Passing(Scale):
    """Changes nothing in evaluation, and gives the input itself."""

    word = "passing"

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return ()

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(constructor("Noise"), imports=("Noise",))


@torch_class
def Noise():  # type: ignore[no-untyped-def] # noqa: N802
    class Noise(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.randn_like(x) if self.training else x

    return Noise


class Anywhere(Scale):
    """As if its author had not thought of series and volumes."""

    word = "anywhere"
    spatial_axes = (1, 2, 3)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return ()

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(call="{0}[:, :, :, 0:] * 2")


class Fractional(Scale):
    word = "fractional"

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return 0.0  # type: ignore[return-value]


class Farther(Scale):
    word = "farther"

    def window(self, output: Shape, *inputs: Shape) -> Window:
        return Window((3, 1), (1, 1), (0, 0))


class Difference(SameShape, Layer):
    """Along a series."""

    word = "difference"
    kind = "filter"
    spatial_axes = (1,)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return 0

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return size(output)

    def window(self, output: Shape, *inputs: Shape) -> Window:
        return Window((2,), (1,), (-1,))

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(call="{0} - F.pad({0}, (1, 0))[:, :, :-1]")


def test_a_layer_of_series_conforms() -> None:
    assert conformance(Difference, cases=4).tried == 4


def test_a_module_may_be_that_of_the_base_class(mine: Any) -> None:
    """A class elsewhere derives from it, and its text imports what the base class has."""
    derived = type("Derived", (mine.Inv,), {"word": "derived", "__module__": __name__})
    assert conformance(derived, cases=2).tried == 2


class Raises(Scale):
    word = "raises"

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return [1][size(output)]


class Unfinished(Layer):
    word = "unfinished"
    kind = "conv"


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Wide, r"`wide` on \S+: `output` says \(\d+, \d+, \d+\); torch: \("),
        (Bare, r"weights: torch has weight \d+ \(trained\), which the layer does not say"),
        (Costly, r"the layer says \d+ multiply-adds; torch: 0 for an image"),
        (Forgetful, "`kept` says that the backward pass needs 0 bytes more"),
        (Spendthrift, r"keeps input 0, \S+ bytes more \(float32 2x\d+x\d+x\d+\)"),
        (Flipped, "the text may not be emitted"),
        (Unknown, "imports Gone, and .* has none"),
        (Passing, "in evaluation, the output shares the storage of an input"),
        (Fractional, "`macs` is a whole number, not 0.0"),
        (Farther, r"sees positions \d to \d by (.*) of the input; torch: positions \d to \d by \1"),
        (Raises, "line [0-9]+: IndexError"),
        (Unfinished, "does not define `output`, `macs`, `elementwise`, `kept`, `torch`"),
    ],
)
def test_what_a_layer_says_wrongly_is_told(kind: type[Layer], sentence: str) -> None:
    with pytest.raises(NotConforming, match=sentence):
        conformance(kind, cases=2)


def test_a_layer_that_works_for_images_alone_is_told_how_to_say_so() -> None:
    with pytest.raises(NotConforming, match=r"not for channels x length; .*_axes = \(2, 3\)`"):
        conformance(Anywhere, cases=8)


# ---- optimizers and schedules ------------------------------------------------------------------


@torch_class
def Signs():  # type: ignore[no-untyped-def] # noqa: N802
    class Signs(torch.optim.Optimizer):
        def __init__(self, groups: Any, *, fixed: bool, hidden: bool) -> None:
            super().__init__(groups, {"lr": 1e-3, "weight_decay": 0.0})
            self.fixed, self.hidden = fixed, hidden
            self.outside: dict[Tensor, Tensor] = {}

        @torch.no_grad()
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for weight in group["params"]:
                    kept = self.outside if self.hidden else self.state[weight]
                    key: Any = weight if self.hidden else "average"
                    kept[key] = 0.9 * kept.get(key, torch.zeros_like(weight)) + weight.grad
                    rate = 1e-3 if self.fixed else group["lr"]
                    weight.add_(kept[key].sign(), alpha=-rate)

    return Signs


class Sign(Optimizer):
    word = "optimizer sign"
    state = 1
    lr: float = learning_rate(1e-2)

    def make_optimizer(self, groups: Any) -> Any:
        return Signs(groups, fixed=False, hidden=False)


class Upward(Sign):
    word = "optimizer upward"

    def make_optimizer(self, groups: Any) -> Any:
        return torch.optim.SGD(groups, lr=self.lr, maximize=True)


class Fixed(Sign):
    word = "optimizer fixed"

    def make_optimizer(self, groups: Any) -> Any:
        return Signs(groups, fixed=True, hidden=False)


class Hidden(Sign):
    word = "optimizer hidden"

    def make_optimizer(self, groups: Any) -> Any:
        return Signs(groups, fixed=False, hidden=True)


class Light(Sign):
    word = "optimizer light"
    state = 0


class Nothing(Sign):
    word = "optimizer nothing"

    def make_optimizer(self, groups: Any) -> Any:
        return None


class Falling(Schedule):
    word = "schedule falling"
    exponent: float = number("exponent", 0.5, minimum=0)

    def share_of_rate(self, done: float, epoch: float) -> float:
        return float((1 - done) ** self.exponent)


class Below(Falling):
    word = "schedule below"

    def share_of_rate(self, done: float, epoch: float) -> float:
        return 0.5 - done


class Counting(Falling):
    word = "schedule counting"
    calls = count()

    def share_of_rate(self, done: float, epoch: float) -> float:
        return float(next(self.calls))


def test_an_optimizer_and_a_schedule_conform() -> None:
    assert conformance(Sign).tried >= 5
    assert conformance(Falling).tried >= 3


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Upward, "does not make the loss smaller"),
        (Fixed, "changes weights where the learning rate is 0"),
        (Hidden, "goes on otherwise from its saved state"),
        (Light, "keeps 1 numbers for each weight, and says `state = 0`"),
        (Nothing, "returns NoneType, which is not a torch.optim.Optimizer"),
        (Below, "are -0.5 to 0.5, and have to be at least 0"),
        (Counting, "gives other factors when it is asked again"),
    ],
)
def test_what_an_optimizer_or_schedule_does_wrongly_is_told(kind: type, sentence: str) -> None:
    with pytest.raises(NotConforming, match=sentence):
        conformance(kind)


class Summed(Loss):
    word = "loss summed"
    tasks = ("classification",)
    weighted = False

    def function(self, weights: Tensor | None) -> Any:
        return lambda outputs, labels: torch.nn.functional.cross_entropy(
            outputs, labels, reduction="sum"
        )


class Counted(Loss):
    word = "loss counted"
    tasks = ("classification",)
    weighted = False

    def function(self, weights: Tensor | None) -> Any:
        return lambda outputs, labels: (outputs.argmax(1) != labels).float().mean()


class Last(Metric):
    word = "last"

    def sums(self, outputs: int) -> tuple[int, ...]:
        return ()

    def count(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return (outputs.argmax(1) == labels).float().mean()

    def value(self, sums: Tensor) -> float:
        return float(sums)


class Errors(Last):
    word = "errors"

    def sums(self, outputs: int) -> tuple[int, ...]:
        return (2,)

    def count(self, outputs: Tensor, labels: Tensor) -> Tensor:
        wrong = (outputs.argmax(1) != labels).sum()
        return torch.stack([wrong, torch.tensor(len(labels))])

    def value(self, sums: Tensor) -> float:
        return float(sums[0] / sums[1])


class Shaken(Augmentation):
    word = "shaken"

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        return images + torch.randn_like(images)


class Cut(Augmentation):
    word = "cut"

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        return images[:, :, 1:]


class Louder(Augmentation):
    word = "louder"
    samples = ("series", "scans")

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        return images * (1 + drawn[0]).view(-1, *[1] * (images.ndim - 1))


def test_an_augmentation_of_series_conforms() -> None:
    assert conformance(Louder).tried > 10


class Centered(Augmentation):
    word = "centered"

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        return images - images.mean() + drawn.view(-1, 1, 1, 1)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Summed, "not a mean over images"),
        (Counted, "fails on shares of classes|has no gradient"),
        (Last, "for batches of"),
        (Errors, "`higher` says that more is better"),
        (Shaken, "differs for the same numbers"),
        (Cut, "has to keep"),
        (Centered, "depends on which images are in the batch"),
    ],
)
def test_what_others_say_wrongly_is_told(kind: type, sentence: str) -> None:
    with pytest.raises(NotConforming, match=sentence):
        conformance(kind)
