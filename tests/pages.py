"""Run the examples of a page of the docs, and compare what they print with what the page says.

A page is cut at its headings `## ...`; the blocks of a section share their names. A block in `text` right after one in
`python` is what that prints, the `GradientError` that ends it included. `python -m tests.pages docs/PAGE.md` writes
into the page what its examples print.
"""

import contextlib
import io
import math
import re
import sys
from pathlib import Path

from functional_nn.testing import GradientError

BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<text>.*?)```\n)?", re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
STEPS = re.compile(r"step \S+\)|shrinks from \S+ to \S+;")  # they depend on rounding, which differs between machines


PEERS = ("torch", "jax", "autograd", "mygrad", "thinc")


def peers(section: str) -> list[str]:
    """Return the other libraries that the examples of a section import."""
    imported = re.findall(r"^(?:import|from) (\w+)", section, flags=re.MULTILINE)
    return [peer for peer in PEERS if peer in imported]


def sections(page: Path) -> dict[str, str]:
    """Return the text of each section by its heading."""
    parts = re.split(r"^## (.*)\n", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def printed(code: str, names: dict[str, object]) -> str:
    """Run a block; return what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(code, "page", "exec"), names)
        except GradientError as error:
            print(f"GradientError: {error}")
    return out.getvalue()


def outputs(section: str) -> list[tuple[str, str]]:
    """Run all blocks of a section; return what the page says that each prints, and what it prints."""
    names: dict[str, object] = {}
    return [(block["text"] or "", printed(block["code"], names)) for block in BLOCK.finditer(section)]


def agree(said: str, done: str) -> bool:
    """Return whether two texts are equal but for the last digits of numbers, and for steps."""
    said, done = STEPS.sub("", said), STEPS.sub("", done)
    pairs = zip(NUMBER.findall(said), NUMBER.findall(done), strict=False)
    close = all(math.isclose(float(a), float(b), rel_tol=1e-5) for a, b in pairs)
    return close and NUMBER.sub("#", said) == NUMBER.sub("#", done)


def fill(page: Path) -> None:
    """Write into a page what its examples print."""
    text = page.read_text(encoding="utf-8")
    for section in sections(page).values():
        names: dict[str, object] = {}

        def filled(block: re.Match[str], names: dict[str, object] = names) -> str:
            done = printed(block["code"], names)
            return f"```python\n{block['code']}```\n" + (f"\n```text\n{done}```\n" if done else "")

        text = text.replace(section, BLOCK.sub(filled, section))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
