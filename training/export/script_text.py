"""Text of exported scripts: names, string literals and lists of them."""

from __future__ import annotations

from collections.abc import Sequence


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
