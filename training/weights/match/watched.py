"""The flow of a module by watching it run: what every function of torch is given and gives.

The last resort, for modules whose Python looks at their data. It runs on a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from .builder import Builder, Value
from .flow import Flow
from .operations import plain, settings_of_call
from .traced import CannotFollow, in_a_line, shapes_of


def watched(module: nn.Module, example: Tensor) -> Flow:
    """Raises CannotFollow where it does not run."""
    try:
        double = copy.deepcopy(module).train()
        double = double.to("meta") if example.is_meta else double
        watch = _Watch(double, example)
        with torch.no_grad(), torch.compiler.set_stance("force_eager"), watch:
            result = double(example)
    except Exception as error:  # noqa: BLE001 - this is foreign code
        raise CannotFollow(in_a_line(error)) from None
    return watch.builder.flow(watch.value(leaf) for leaf in tree_leaves(result))


class _Watch(TorchFunctionMode):
    def __init__(self, module: nn.Module, example: Tensor) -> None:
        super().__init__()
        self.builder = Builder(shapes_of(module))
        self._values: dict[int, Value] = {id(example): self.builder.input()}
        # A tensor that is freed would leave its id to another.
        self._alive: list[Tensor] = [example]
        for key, tensor in (
            *module.named_parameters(remove_duplicate=False),
            *module.named_buffers(remove_duplicate=False),
        ):
            self._note(tensor, self.builder.held(key))
        for inner in module.modules():
            inner.register_forward_hook(self._after)

    def value(self, thing: object) -> Value:
        return self._values.get(id(thing)) if isinstance(thing, Tensor) else None

    def _note(self, tensor: Tensor, value: Value) -> None:
        self._values[id(tensor)] = value
        self._alive.append(tensor)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name == "__get__":  # an attribute: x.T, x.shape
            name = getattr(getattr(func, "__self__", None), "__name__", "")
        operands = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        self._made(name, operands, result, settings_of_call(plain(name), args, kwargs), args)
        return result

    def _made(
        self,
        name: str,
        operands: Iterable[Tensor],
        result: object,
        settings: dict[str, object] | None = None,
        args: Any = (),
    ) -> None:
        made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if not made:
            return
        if name == "__getitem__":
            index = args[1] if len(args) > 1 else None
            self._note(made[0], self.builder.element(self.value(args[0]), index))
            return
        value = self.builder.operation(name, [self.value(each) for each in operands], settings)
        for number, tensor in enumerate(made):
            several = not isinstance(result, Tensor)
            self._note(tensor, self.builder.element(value, number) if several else value)

    def _after(self, module: nn.Module, inputs: Any, output: Any) -> None:
        """Of what no function of torch was seen to make: it comes from what the module took."""
        for leaf in tree_leaves(output):
            if isinstance(leaf, Tensor) and id(leaf) not in self._values:
                taken = [each for each in tree_leaves(inputs) if isinstance(each, Tensor)]
                own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
                self._made(type(module).__name__, [*taken, *own], leaf)
