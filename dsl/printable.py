"""Text of a spec made printable: characters that would move the cursor, change colors or reorder a
line become escapes (`\\x1b`, `\\u202e`), for a spec may come from anywhere.
"""

from __future__ import annotations


def show(text: str) -> str:
    """The text on one line, with all that is neither a sign nor a blank written as an escape."""
    return text if text.isprintable() else "".join(map(show_character, text))


def show_character(char: str) -> str:
    # What Python does not call printable are control and format characters, line and paragraph
    # separators, lone surrogates, and what has no agreed width: private and unassigned ones. It
    # also counts blanks other than the plain one; they do no harm, and Japanese text is full of
    # them.
    if char.isprintable() or _is_blank(char):
        return char
    return char.encode("unicode_escape").decode("ascii")


def _is_blank(char: str) -> bool:
    from unicodedata import category

    return category(char) == "Zs"


def terminal_width(shown: str) -> int:
    """The columns that a terminal gives to a text made by `show`."""
    return len(shown) if shown.isascii() else sum(map(character_width, shown))


def character_width(char: str) -> int:
    from unicodedata import category, east_asian_width

    if category(char) in ("Mn", "Me") or "\u1160" <= char <= "\u11ff":
        return 0  # drawn onto the one before; the range joins up to Korean syllables
    return 2 if east_asian_width(char) in "WF" else 1
