"""`--main`: a small check at the end of the file, for who runs it."""

from __future__ import annotations

from ..graph import Network
from .layout import STEP


def check_run(name: str, network: Network) -> list[str]:
    """Random images through the network: the shapes, and how many parameters."""
    arriving = ", ".join(map(str, network.input.shape))
    return [
        'if __name__ == "__main__":',
        f"{STEP}model = {name}().eval()",
        f"{STEP}images = torch.randn(2, {arriving})",
        f"{STEP}with torch.no_grad():",
        f"{STEP * 2}output = model(images)",
        f'{STEP}print("input", *images.shape)',
        f'{STEP}print("output", *output.shape)',
        f"{STEP}parameters = sum(weight.numel() for weight in model.parameters())",
        f'{STEP}print(f"{{parameters:,}} parameters")',
    ]
