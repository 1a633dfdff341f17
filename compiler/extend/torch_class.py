"""`torch_class`: a module of torch in a plug-in that is read without torch.

    @torch_class
    def Involution():
        from torch import nn

        class Involution(nn.Module): …
        return Involution

`from mine import Involution` gives what stands for the class: calling it makes a module. The class
itself is made at the first call, so that `cnn check` and `cnn report` import no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Tensor: TypeAlias = Any
"""That of torch, in signatures: the compiler does not import it."""
Torch: TypeAlias = Any
"""Another object of torch."""


class TorchClass:
    """Stands for the class that a function returns, until it is needed."""

    def __init__(self, make: Callable[[], type]) -> None:
        self._make = make
        self._made: type | None = None
        self.__name__ = self.__qualname__ = make.__name__
        self.__module__ = make.__module__
        self.__doc__ = make.__doc__

    @property
    def made(self) -> type:
        """The class."""
        if self._made is None:
            made = self._make()
            made.__module__, made.__qualname__ = self.__module__, self.__name__
            self._made = made
        return self._made

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.made(*arguments, **options)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self.made)

    def __repr__(self) -> str:
        return f"<torch class {self.__module__}.{self.__name__}>"


def torch_class(make: Callable[[], type]) -> TorchClass:
    return TorchClass(make)
