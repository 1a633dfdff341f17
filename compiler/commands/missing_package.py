"""A command without the packages that it needs: which of the extras has them."""

from __future__ import annotations

from ...dsl.diagnostics import Diagnostic

EXTRAS = {
    "numpy": "torch",
    "PIL": "torch",
    "safetensors": "torch",
    "torch": "torch",
    "torchvision": "torchvision",
}
"""The extra that installs a module. Others are asked for where they are imported."""
_PACKAGES = {"PIL": "pillow"}


def missing_package(command: str, error: ModuleNotFoundError) -> Diagnostic | None:
    """The diagnostic for a module that is missing; None if it is none of ours."""
    module = (error.name or "").partition(".")[0]
    extra = EXTRAS.get(module)
    if extra is None:
        return None
    package = _PACKAGES.get(module, module)
    return Diagnostic(
        "missing-package",
        f"`cnn {command}` needs {package}, not installed here",
        help=f'pip install "dotcnn[{extra}]"',
    )
