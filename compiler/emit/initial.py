"""`init` as torch text: a function that initializes one module, applied to all modules.

It handles only the classes that occur in the network. Layers with an initialization of their own
(norms, fixed filters, learned pooling) are of other classes and are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..network import Init, Network, Node
from ..ops.base import Constructor, helper

Lines = list[str]

_CONVOLUTIONS = tuple(f"nn.Conv{axes}d" for axes in (1, 2, 3))
_TRANSPOSED = tuple(f"nn.ConvTranspose{axes}d" for axes in (1, 2, 3))
_CLASSES = (*_CONVOLUTIONS, *_TRANSPOSED, "nn.Linear")
"""The classes that `init` applies to, in the order in which they are listed."""


WHITEN = helper('''\
def whiten(convolution: nn.Conv2d, images: Tensor) -> None:
    """Sets its weights to the principal components of the patches of normalized training images,
    each divided by its deviation, and the negatives of them (Page, 2018)."""
    weight = convolution.weight.detach()
    patches = F.unfold(images, weight.shape[2:]).transpose(1, 2).flatten(0, 1)
    covariance = (patches.T @ patches).double() / len(patches)
    variances, components = torch.linalg.eigh(covariance)
    filters = (components / (variances.clamp(min=0) + 5e-4).sqrt()).T.flip(0)
    filters = filters[: len(weight) // 2].reshape(-1, *weight.shape[1:])
    weight.copy_(torch.cat([filters, -filters]))
''')
"""For networks with `init whitening`: what training does before the first step."""


class InitText(NamedTuple):
    """The text that initializes the weights of the emitted module."""

    lines: tuple[str, ...]
    """The function `init_weights`; empty if torch's defaults are right."""
    zero: tuple[str, ...]
    """The names of layers whose weight, or gain, is set to zero afterwards."""


class _Facts(NamedTuple):
    """The properties of a network that matter for initialization."""

    classes: tuple[str, ...]
    biases: bool
    grouped: bool


def initial(network: Network) -> InitText:
    """The torch text of `Network.init`."""
    init, facts = network.init, _facts_of(network)
    dirac = _dirac(facts) if init.dirac else []
    if not facts.classes or (init.method == "torch" and not dirac):
        return InitText((), init.zero_residual)
    lines = ["def init_weights(module: nn.Module) -> None:", f'    """{_REASONS[init.method]}"""']
    arms = _arms(init, facts) if init.method != "torch" else []
    for number, (classes, body) in enumerate(arms):
        word = "elif" if number else "if"
        lines.append(f"    {word} isinstance(module, {_either(classes)}):")
        lines += [f"        {line}" for line in body]
        if facts.biases:
            lines += ["        if module.bias is not None:"]
            lines += ["            nn.init.zeros_(module.bias)"]
    lines += dirac
    return InitText(tuple(lines), init.zero_residual)


def _either(classes: Sequence[str]) -> str:
    return f"({', '.join(classes)})" if len(classes) > 1 else classes[0]


def _facts_of(network: Network) -> _Facts:
    classes: set[str] = set()
    biases = grouped = False
    for node in network.nodes:
        parts = list(_parts(node)) if node.weights else []
        names = {_torch_class(part.name, node.torch.helper) for part in parts}
        if names & {*_CLASSES}:
            classes |= names
            biases |= any(w.trainable and len(w.shape) == 1 for w in node.weights)
            options = [option for part in parts for option in part.options]
            grouped |= any(name == "groups" and value != 1 for name, value, _ in options)
    return _Facts(tuple(c for c in _CLASSES if c in classes), biases, grouped)


def _torch_class(name: str, helpers: str) -> str:
    """The class of torch that a helper class extends; any other is its own."""
    extended = re.search(rf"^class {name}\((nn\.\w+)\)", helpers, re.MULTILINE)
    return extended[1] if extended else name


def _parts(node: Node) -> Iterator[Constructor]:
    """The modules that a layer consists of."""
    module = node.torch.module
    stack = [] if module is None else [module]
    while stack:
        part = stack.pop()
        yield part
        stack += [inner for inner in part.arguments if isinstance(inner, Constructor)]


# ---- the text --------------------------------------------------------------------------------

_REASONS = {
    "he": "He et al., 2015, arXiv:1502.01852.",
    "xavier": "Glorot and Bengio, 2010.",
    "lecun": "LeCun et al., 1998.",
    "truncated_normal": "Cut off at twice the deviation.",
    "normal": "The same for all.",
    "orthogonal": "Saxe et al., 2013, arXiv:1312.6120.",
    "torch": "The first filters pass on their inputs.",
}


Arms = list[tuple[tuple[str, ...], tuple[str, ...]]]
"""Classes, and the statements that initialize a module of them."""


def _arms(init: Init, facts: _Facts) -> Arms:
    if init.method in ("he", "lecun"):
        return _by_inputs(init, facts)
    if init.method == "xavier":
        return [(facts.classes, _xavier(init, facts))]
    if init.method == "orthogonal":
        gain = "" if init.gain == 1 else f", gain={init.gain!r}"
        weight = "weight = module.weight.detach()"
        # As 32-bit numbers: halves have no QR decomposition.
        drawn = f"weight.copy_(nn.init.orthogonal_(weight.float(){gain}))"
        return [(facts.classes, (weight, drawn))]
    draw = f"nn.init.normal_(module.weight, std={init.std!r})"
    if init.method == "truncated_normal":
        cut = float(f"{2 * init.std:.6g}")
        draw = f"nn.init.trunc_normal_(module.weight, std={init.std!r}, a={-cut!r}, b={cut!r})"
    return [(facts.classes, (draw,))]


def _dirac(facts: _Facts) -> Lines:
    """The first filters of convolutions (of each group) as identities; the others stay random."""
    kinds = [name for name in _CONVOLUTIONS if name in facts.classes]
    if not kinds:
        return []
    lines = [f"    if isinstance(module, {_either(kinds)}):"]
    if not facts.grouped:
        return [
            *lines,
            "        weight = module.weight.detach()",
            "        nn.init.dirac_(weight[: weight.shape[1]])",
        ]
    return [
        *lines,
        "        each = len(module.weight) // module.groups",
        "        for group in range(module.groups):",
        "            weight = module.weight.detach()[group * each : (group + 1) * each]",
        "            nn.init.dirac_(weight[: weight.shape[1]])",
    ]


def _by_inputs(init: Init, facts: _Facts) -> Arms:
    """Variance by fan-in, which torch computes right except for transposed convolutions."""
    draw = "kaiming_uniform_" if init.uniform else "kaiming_normal_"
    what = 'nonlinearity="linear"' if init.method == "lecun" else 'nonlinearity="relu"'
    if init.slope:
        what = f'{init.slope!r}, nonlinearity="leaky_relu"'
    arms: Arms = []
    usual = tuple(name for name in facts.classes if name not in _TRANSPOSED)
    if usual:
        arms.append((usual, (f"nn.init.{draw}(module.weight, {what})",)))
    for axes, name in enumerate(_TRANSPOSED, 1):
        if name in facts.classes:
            arms.append(((name,), _transposed(init, axes)))
    return arms


def _transposed(init: Init, axes: int) -> tuple[str, ...]:
    variance = 1.0 if init.method == "lecun" else 2 / (1 + init.slope**2)
    return (
        "summed = module.weight[:, 0].numel() / module.groups",
        f"summed /= {' * '.join(f'module.stride[{axis}]' for axis in range(axes))}",
        *_drawn(init, variance, "summed"),
    )


def _xavier(init: Init, facts: _Facts) -> tuple[str, ...]:
    if not facts.grouped:
        draw = "xavier_uniform_" if init.uniform else "xavier_normal_"
        gain = "" if init.gain == 1 else f", gain={init.gain!r}"
        return (f"nn.init.{draw}(module.weight{gain})",)
    # Torch takes the outputs of all groups for those of one.
    return (
        'groups = getattr(module, "groups", 1)',
        "fans = module.weight[0].numel() + module.weight[:, 0].numel() / groups",
        *_drawn(init, 2 * init.gain**2, "fans"),
    )


def _drawn(init: Init, variance: float, over: str) -> tuple[str, ...]:
    """Statements that draw numbers of mean 0 and variance `variance/over`."""
    if init.uniform:
        return (
            f"bound = ({3 * variance:.6g} / {over}) ** 0.5",
            "nn.init.uniform_(module.weight, -bound, bound)",
        )
    return (f"nn.init.normal_(module.weight, std=({variance:.6g} / {over}) ** 0.5)",)
