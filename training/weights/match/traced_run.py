"""Builds the dataflow graph of a module by running it and recording every torch function.

The last resort, for modules whose Python code depends on their data. The module runs with copies of
its buffers, so that it is not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from .builder import Builder, Value
from .flow import Flow
from .fx_trace import CannotTrace, held_by, in_a_line, in_training
from .operations import plain, settings_of_call


def recorded(module: nn.Module, example: Tensor) -> Flow:
    """Raises CannotTrace if the module does not run. With an example on the device `meta`, only
    shapes are computed."""
    tensors = _copies(module, example.is_meta)
    recorder = _Recorder(tensors, module.state_dict().keys(), example)
    hooks = []
    try:
        hooks += [inner.register_forward_hook(recorder.after) for inner in module.modules()]
        eager = torch.compiler.set_stance("force_eager")
        with in_training(module), torch.no_grad(), eager, recorder:
            result = functional_call(module, tensors, (example,))
    except Exception as error:  # noqa: BLE001 - this runs code of the module
        raise CannotTrace(in_a_line(error)) from None
    finally:
        for hook in hooks:
            hook.remove()
    return recorder.builder.flow(recorder.value(leaf) for leaf in tree_leaves(result))


def _copies(module: nn.Module, meta: bool) -> dict[str, Tensor]:
    """Tensors to run with; those that layers share stay shared."""
    buffers = {id(buffer) for buffer in module.buffers()}
    copies: dict[int, Tensor] = {}
    for tensor in (*module.parameters(), *module.buffers()):
        data = tensor.detach()
        copied = data.to("meta") if meta else data.clone() if id(tensor) in buffers else data
        copies[id(tensor)] = copied
    return {key: copies[id(tensor)] for key, tensor in held_by(module)}


class _Recorder(TorchFunctionMode):
    def __init__(
        self, tensors: Mapping[str, Tensor], saved: Container[str], example: Tensor
    ) -> None:
        super().__init__()
        shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
        self.builder = Builder(shapes, saved)
        self._values: dict[int, Value] = {id(example): self.builder.input()}
        # Keeps the tensors alive, because the id of a freed one can be reused.
        self._alive: list[Tensor] = [example]
        for key, tensor in tensors.items():
            self._note(tensor, self.builder.held(key))

    def value(self, leaf: object) -> Value:
        return self._values.get(id(leaf)) if isinstance(leaf, Tensor) else None

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
        self._record(name, operands, result, settings_of_call(plain(name), args, kwargs), args)
        return result

    def _record(
        self,
        name: str,
        operands: Iterable[Tensor],
        result: object,
        settings: dict[str, object] | None = None,
        args: Any = (),
    ) -> None:
        results = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if not results:
            return
        if name == "__getitem__":
            index = args[1] if len(args) > 1 else None
            self._note(results[0], self.builder.element(self.value(args[0]), index))
            return
        value = self.builder.operation(name, [self.value(each) for each in operands], settings)
        for number, tensor in enumerate(results):
            several = not isinstance(result, Tensor)
            self._note(tensor, self.builder.element(value, number) if several else value)

    def after(self, module: nn.Module, inputs: Any, output: Any) -> None:
        """Attributes outputs that no recorded function computed to the module and its inputs."""
        for leaf in tree_leaves(output):
            if isinstance(leaf, Tensor) and id(leaf) not in self._values:
                taken = [each for each in tree_leaves(inputs) if isinstance(each, Tensor)]
                own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
                self._record(type(module).__name__, [*taken, *own], leaf)
