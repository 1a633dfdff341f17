"""Other mistakes with colons: `stride: 2`, `conv 64: bn`."""

from __future__ import annotations

from ..characters import shorten
from ..diagnostics import Edit
from ..source import Span
from ..trouble import VALUES, Explanation, Mend, Trouble
from .table import mistake, say


@mistake("stray-colon", "concat maps[1:]", "concat maps[:2]", "add maps[0:2]")
def _python_slice(at: Trouble) -> Explanation | None:
    if at.kind != "COLON":
        return None
    back = next((back for back in (1, 2, 3) if at.kind_at(-back) == "AT"), 0)
    if not back or at.kind_at(-back - 1) not in ("WORD", "PATH"):
        return None
    name = shorten(at.text_at(-back - 1))
    low = at.text_at(-1) if back == 2 else "0"
    high = f"len({name})" if at.after == "RSQB" else at.text_at(1)
    return say(
        "stray-colon",
        "a part of a list is written with `..`, from the first up to the last, without the last",
        at.span,
        f"write `{name}[{low}..{high}]`" if back < 3 else f"write `{name}[0..2]`, or `{name}[-1]`",
    )


@mistake("stray-colon", "network A {\n  conv 64: bn\n}", "conv 64 stride: 2", "a::conv 3")
def _stray_colon(at: Trouble) -> Explanation | None:
    if at.kind != "COLON" or at.before in ("IF", "IN", "REPEAT"):
        return None
    if at.before == "COLON":
        return say(
            "stray-colon",
            "a label ends with one colon",
            at.span,
            "take the second one out",
            edits=(Edit(at.span, ""),),
            mend=at.drop(),
        )
    if at.before == "WORD" and at.after in VALUES and at.first < -1:
        name, value = at.text_at(-1), at.text_at(1)
        glued = Span(at.source, at.previous.start, at.span_at(1).start)
        return say(
            "stray-colon",
            "an argument gets its value with `=`",
            at.span,
            f"write `{shorten(name)}={shorten(value)}`",
            edits=(Edit(glued, f"{name}="),),
            mend=Mend((("KEY", at.previous.start, at.end),), skip=1, back=1),
        )
    return say(
        "stray-colon",
        "a colon is only written after a label, at the start of a statement",
        at.span,
        "give an argument by name with `=`: `stride=2`; name a layer in front: `stem: conv 64`",
    )
