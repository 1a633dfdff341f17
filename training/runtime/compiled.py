"""A network compiled by torch.compile (`compile on mode=max_autotune`), for batches of one size.

torch compiles for the shapes that it sees. The last batch of an epoch is often smaller: torch would
compile a second time for it, for shapes of any size, which takes longer and runs slower. Here it is
computed without compiling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Compiled:
    """Calls the compiled module for batches of `size` images, or for their parts, and the module
    itself for others.

    `give_up` is called with a reason if torch cannot compile the module; from then on it runs
    uncompiled. Without it, that is an error. `sizes_vary`: whether images change their height and
    width between epochs; torch then compiles a second time, for all of them.
    """

    def __init__(
        self,
        module: Callable[[Tensor], Any],
        size: int,
        *,
        mode: str = "default",
        sizes_vary: bool = False,
        give_up: Callable[[str], None] | None = None,
    ) -> None:
        self.module = module
        self._size = size
        self.parts = 1
        """The number of parts in which a batch is computed."""
        self._give_up = give_up
        self._reuses_outputs = mode in _WITH_GRAPHS
        dynamic = None if sizes_vary else False
        self._compiled: Any = torch.compile(module, mode=mode.replace("_", "-"), dynamic=dynamic)

    def __call__(self, images: Tensor) -> Any:
        if self._compiled is None or len(images) != -(-self._size // self.parts):
            return self.module(images)
        try:
            outputs = self._compiled(images)
        except Exception as error:
            if self._give_up is None or not is_of_compiler(error):
                raise
            self._compiled = None
            self._give_up(str(error).strip().partition("\n")[0][:200])
            return self.module(images)
        if not self._reuses_outputs:
            return outputs
        if isinstance(outputs, tuple):
            return tuple(output.clone() for output in outputs)
        return outputs.clone()


_WITH_GRAPHS = ("reduce_overhead", "max_autotune")
"""The modes with CUDA graphs, in which the outputs of the next batch overwrite those of the last
one. Training keeps outputs for its metrics, and so has to copy them."""


def is_of_compiler(error: BaseException) -> bool:
    """Whether an error comes from torch.compile, and not from the network."""
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor", "triton"))
