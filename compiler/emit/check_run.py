"""`--main`: a small check at the end of the file, for who runs it."""

from __future__ import annotations

from ..language.values import python
from ..network import Network
from .layout import STEP, Doc, Group, statement


def check_run(name: str, network: Network, dot: str = ".") -> list[str]:
    """Random images through the network: the shapes, and how many parameters, as a report counts
    them: those of auxiliary heads apart. `dot`: what stands for dots in names of weights."""
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
        *(
            _heads(network, dot)
            if network.aux
            else [f'{STEP}print(f"{{parameters:,}} parameters")']
        ),
    ]


def _heads(network: Network, dot: str) -> list[str]:
    if not network.aux:
        return [f'{STEP}print(f"{{parameters:,}} parameters")']
    prefixes = [python(head.scope.name.replace(".", dot) + dot) for head in network.aux]
    heads: Doc = Group("(", tuple(prefixes), ")") if len(prefixes) > 1 else prefixes[0]
    return [
        *statement(heads, 1, before="heads = "),
        f"{STEP}in_heads = sum(",
        f"{STEP * 2}weight.numel()",
        f"{STEP * 2}for name, weight in model.named_parameters()",
        f"{STEP * 2}if name.startswith(heads)",
        f"{STEP})",
        f'{STEP}print(f"{{parameters - in_heads:,}} parameters")',
        f'{STEP}print(f"{{in_heads:,}} in auxiliary heads")',
    ]
