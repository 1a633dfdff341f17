"""Random pairs of a spec and a module that computes the same, written as an author might write it.

All layers have one width, so that shapes tell little. Sequential parts are in order, paths are
defined in any order, factors are parameters of the block itself, and names say nothing, or
something.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

_WIDTH = 8
_Made = tuple[str, nn.Module]


class _Own:
    """In place of a module: factors that the block holds itself."""


class _Line(nn.Module):
    def __init__(self, parts: Sequence[nn.Module | _Own], names: Sequence[str]) -> None:
        super().__init__()
        self._names = list(names)
        for name, part in zip(names, parts, strict=True):
            if isinstance(part, nn.Module):
                self.add_module(name, part)
            else:
                self.register_parameter(name, nn.Parameter(torch.ones(_WIDTH)))

    def forward(self, x: Tensor) -> Tensor:
        for name in self._names:
            part = getattr(self, name)
            x = x * part[:, None, None] if isinstance(part, nn.Parameter) else part(x)
        return x


class _Fork(nn.Module):
    def __init__(
        self, merge: str, paths: Sequence[nn.Module], names: Sequence[str], order: Sequence[int]
    ) -> None:
        super().__init__()
        self._merge, self._names = merge, list(names)
        for number in order:
            self.add_module(names[number], paths[number])

    def forward(self, x: Tensor) -> Tensor:
        maps: list[Tensor] = [self.get_submodule(name)(x) for name in self._names]
        if self._merge == "concat":
            return torch.cat(maps, 1)
        total = maps[0]
        for each in maps[1:]:
            total = total + each if self._merge == "add" else total * each
        return total


def _names(chance: random.Random, kinds: Sequence[str]) -> list[str]:
    style = chance.choice(["random", "numbers", "words"])
    if style == "numbers":
        return [f"m{number}" for number in range(1, len(kinds) + 1)]
    names: list[str] = []
    for kind in kinds:
        name, number = kind, 1
        while style == "random" or name in names:
            number += 1
            name = f"{kind}{number}" if style == "words" else _word(chance)
            if name not in names:
                break
        names.append(name)
    return names


def _word(chance: random.Random) -> str:
    return "".join(chance.choices("ijklmnopqrstuvwxyz", k=5))


def _conv(size: int, groups: int = 1) -> nn.Module:
    return nn.Conv2d(_WIDTH, _WIDTH, size, padding=size // 2, groups=groups, bias=False)


_ATOMS: Mapping[str, tuple[str, Callable[[], nn.Module | _Own]]] = {
    "conv 8 3x3 same bias=off": ("conv", lambda: _conv(3)),
    "conv 8 1x1 bias=off": ("conv", lambda: _conv(1)),
    "bn": ("bn", lambda: nn.BatchNorm2d(_WIDTH)),
    "gn 2": ("norm", lambda: nn.GroupNorm(2, _WIDTH)),
    "depthwise 3x3 same bias=off": ("dw", lambda: _conv(3, _WIDTH)),
    "layerscale 1": ("gamma", _Own),
}


def _line(chance: random.Random, depth: int, least: int = 1) -> _Made:
    texts: list[str] = []
    parts: list[nn.Module | _Own] = []
    kinds: list[str] = []
    for _ in range(chance.randint(least, 4)):
        if depth < 2 and chance.random() < 0.3:
            text, block = _fork(chance, depth + 1)
            texts.append(text)
            parts.append(block)
            kinds.append("block")
            continue
        text = chance.choice([*_ATOMS, "bn"])
        kind, make = _ATOMS[text]
        part = make()
        parts.append(part)
        kinds.append(kind)
        if chance.random() < 0.3 and isinstance(part, nn.Module):
            text += ", relu"
            parts.append(nn.ReLU())
            kinds.append("act")
        texts.append(text)
    return "\n".join(texts), _Line(parts, _names(chance, kinds))


def _fork(chance: random.Random, depth: int) -> _Made:
    paths: list[_Made] = []
    for number in range(chance.choice([2, 2, 3])):
        plain = number == 0 and chance.random() < 0.4
        paths.append(("relu6", nn.ReLU6()) if plain else _line(chance, depth))
    merge = chance.choice(["add", "add", "concat", "mul"])
    defined = chance.sample(range(len(paths)), len(paths))
    written = list(range(len(paths)))
    if merge != "concat":
        chance.shuffle(written)
    kinds = [
        chance.choice(["branch", "path", "shortcut" if text == "relu6" else "body"])
        for text, _ in paths
    ]
    modules = [module for _, module in paths]
    block: nn.Module = _Fork(merge, modules, _names(chance, kinds), defined)
    text = "\n".join([f"{merge} {{", *(f"| {paths[number][0]}" for number in written), "}"])
    if merge == "concat":
        text += "\nconv 8 1x1 bias=off"
        last = nn.Conv2d(_WIDTH * len(paths), _WIDTH, 1, bias=False)
        block = _Line([block, last], _names(chance, ["cat", "merge"]))
    return text, block


class _Whole(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _WIDTH, 1)
        self.body = body
        self.fc = nn.Linear(_WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.fc(self.body(self.stem(x)).mean((2, 3)))
        return found


def pair(seed: int) -> _Made:
    """A spec, and a module that computes the same, with random weights in double precision."""
    chance = random.Random(seed)
    torch.manual_seed(seed)
    text, body = _line(chance, 0, 2)
    module = _Whole(body)
    with torch.no_grad():
        for key, tensor in module.state_dict().items():
            if tensor.dim() > 1:
                tensor.normal_(0, tensor[0].numel() ** -0.5)
            elif tensor.is_floating_point():
                biased = key.endswith(("bias", "mean"))
                tensor.normal_(0, 0.3) if biased else tensor.uniform_(0.5, 1.5)
    spec = f"conv 8 1x1 bias=on\n{text}\npool avg global, flatten, fc 10"
    return spec, module.double().eval()
