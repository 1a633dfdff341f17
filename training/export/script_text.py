"""Text of exported scripts: names, string literals and lists of them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence


def main_text(answered: str, told: str) -> str:
    """The function `main` of a script: `answered` handles the file at `path`, and may fail; `told`
    prints what came of it."""
    return _MAIN.format(answered=_indented(answered, 12), told=_indented(told, 8))


def _indented(lines: str, spaces: int) -> str:
    return textwrap.indent(textwrap.dedent(lines).strip("\n"), " " * spaces)


_MAIN = """
def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    session = onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
    failed = False
    for path in sys.argv[1:]:
        try:
{answered}
        except (OSError, SyntaxError, ValueError) as error:  # Pillow's, for what is not an image
            print(f"{{path}}: {{error}}", file=sys.stderr)
            failed = True
            continue
{told}
    sys.exit(failed)
"""


def listed(names: Sequence[str], width: int = 96) -> str:
    short = f"[{', '.join(map(quoted, names))}]"
    if len(short) <= width - len("CLASSES = "):
        return short
    lines = [""]
    for name in map(quoted, names):
        if lines[-1] and len(lines[-1]) + len(name) + 2 > width:
            lines.append("")
        lines[-1] += f" {name}," if lines[-1] else f"{name},"
    return "\n".join(["[", *(f"    {line}" for line in lines), "]"])


def plain_name(name: str) -> str:
    """A name that is safe in a docstring."""
    return "".join(sign if sign.isprintable() and sign not in '"\\' else "_" for sign in name)


def quoted(text: str) -> str:
    """A string literal, in double quotes if that needs no escapes."""
    return f'"{text}"' if text.isprintable() and not {'"', "\\"} & set(text) else repr(text)
