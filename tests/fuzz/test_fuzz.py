"""Random bytes, random words, and specs with slips of the keyboard in them.

`make check-all` draws many more examples than `make test`. What was found is kept in `cases`, one
file each, named for what was wrong. A target for atheris is in target.py.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dotcnn.dsl.mistakes import TABLE
from support import ROOT

HERE = Path(__file__).parent
CASES = sorted((HERE / "cases").glob("*.cnn"))

_spec = importlib.util.spec_from_file_location("oracle", HERE / "oracle.py")
assert _spec is not None
assert _spec.loader is not None
oracle = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(oracle)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_what_was_found_before(case: Path) -> None:
    oracle.examine(case.read_bytes())


PIECES = [
    *"(){}[]|,:=.+-*/%<>!&;\"'#\\\n\t x3\r\x00",
    *("if ", "else ", "elif ", "for ", "in ", "repeat ", "let ", "block ", "network ", "import "),
    *("as ", "and ", "or ", "not ", "on", "off", "conv ", "a", "b ", "layer1.0", "max(", "x="),
    *("64", "3x3", "3 x 3", "10x", "20%", "0.5", "5e-4", "1.", ".5", "0x1", "1_0", '"a"', "'a'"),
    *("..", "...", "//", "==", "->", "=>", "**", "||", "&&", "/*", "*/", '"""', "--", "# c"),
    *(" { ", "}\n", " = ", " - ", " -", "- ", ": ", "else if a {", "} else {", "| ", "\n  "),
    *("×", "–", "“", "”", "（", "，", "\u00a0", "\u200b", "\u2028", "а", "é", "字", "😀"),
    *("\x1b", "\\u00", "\r\n", "x ", "\n    "),
]
SEEDS = [path.read_text("utf-8") for path in sorted((ROOT / "specs").glob("**/*.cnn"))[::7]]
SEEDS += [snippet for _, snippet, _ in TABLE]
WORDS = re.compile(r"[A-Za-z_0-9.]+|\s+|.", re.DOTALL)


def slip(text: str, random: Random) -> str:
    """A piece of a spec, with one or a few slips: words left out, doubled, exchanged, strange."""
    words = WORDS.findall(text)
    if len(words) > 150:
        begin = random.randrange(len(words) - 100)
        words = words[begin : begin + random.randrange(20, 100)]
    for _ in range(random.choice([1, 1, 1, 2, 3, 6])):
        at = random.randrange(len(words) + 1)
        kind = random.randrange(5)
        if kind == 0:
            del words[at : at + random.choice([1, 1, 3, 8])]
        elif kind == 1:
            words.insert(at, random.choice([*words, "a"]))
        elif kind == 2:
            words[at : at + 2] = reversed(words[at : at + 2])
        elif kind == 3:
            words.insert(at, random.choice(PIECES))
        else:
            words[at : at + 1] = [random.choice(PIECES)]
    return "".join(words)


def bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


any_bytes = st.binary(max_size=200)
soup = st.lists(st.sampled_from(PIECES), max_size=60).map("".join).map(bytes_of)
slips = st.builds(
    lambda seed, number: bytes_of(slip(seed, Random(number))),
    st.sampled_from(SEEDS),
    st.integers(0, 2**32),
)


@settings(max_examples=5 * settings().max_examples)
@given(st.one_of(any_bytes, soup, slips))
def test_any_bytes(data: bytes) -> None:
    """An answer, never a traceback; its places lie in the text, and its edits can be made."""
    oracle.examine(data)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [any_bytes, soup, slips], ids=["bytes", "soup", "slips"])
def test_many_more(kind: st.SearchStrategy[bytes]) -> None:
    @settings(max_examples=20 * settings().max_examples)
    @given(kind)
    def check(data: bytes) -> None:
        oracle.examine(data)

    check()
