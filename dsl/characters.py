"""Unicode look-alikes: characters that look like the ASCII ones of a spec, and their names."""

from __future__ import annotations

import unicodedata

UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
"""Characters without any width on the screen."""


def _look_alikes() -> dict[str, str]:
    table = {
        "×✕✖хХ": "x",  # the last two are Cyrillic
        "−–—‐‑‒―﹣": "-",
        "“”„‟«»″": '"',
        "‘’‛": '"',
        "∗⋅·✱": "*",
        "÷∕⁄": "/",
        "‚，、": ",",
        "：": ":",
        "｜∣": "|",
        "．": ".",
        "　\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f": " ",
        UNSEEN: " ",
    }
    # Greek and Cyrillic letters that look like Latin ones.
    table.update(zip("аеорсуіјѕ", "aeopcyijs", strict=True))
    table.update(zip("АВЕКМНОРСТ", "ABEKMHOPCT", strict=True))
    table.update(zip("οΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "oABEZHIKMNOPTYX", strict=True))
    by_name = {char: plain for chars, plain in table.items() for char in chars}
    # Full-width forms, as Chinese and Japanese input methods type them.
    for code in range(0xFF01, 0xFF5F):
        by_name.setdefault(chr(code), chr(code - 0xFEE0))
    return by_name


LOOK_ALIKES = _look_alikes()
"""From the character typed to the ASCII character that was meant."""


def describe_character(char: str) -> str:
    """`U+00D7 MULTIPLICATION SIGN`, with the character itself if it is visible."""
    name = unicodedata.name(char, "")
    code = f"U+{ord(char):04X}" + (f" {name}" if name else "")
    return f"`{char}` ({code})" if char.isprintable() and not char.isspace() else code


def shorten(text: str) -> str:
    """A piece of a spec for quoting in a message: on one line, and shortened."""
    line = " ".join(text[:1000].split())
    return line if len(line) <= 60 else line[:59] + "…"
