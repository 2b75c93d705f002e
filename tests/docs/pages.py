"""Pages of Markdown as programs: their Python blocks run in order and print what stands below them.

    ```python      is run; the blocks of a page share a namespace
    ```text        right after it is what it prints
    ```sh          is for a terminal, and not run

A block may end in a `GradientError`, which is what it prints then: its numbers are compared to six digits, without the
steps of its measurements, which depend on rounding.

A text block that begins with the line `MACHINE` shows figures of one machine: its words are compared, its numbers are
not. A Python block whose first line names a source file, `# functional_nn/layers/dense.py`, quotes it and is not run.

    python -m tests.docs.pages docs/tutorial/*.md      # write into the pages what their blocks print
"""

from __future__ import annotations

import ast
import io
import os
import re
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from functional_nn.testing import GradientError

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MACHINE = "(figures of one machine)\n"
FENCE = re.compile(r"^```([\w-]+)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
QUOTED = re.compile(r"# ((?:functional_nn|experiments)/[\w/]+\.py)\n")
INLINE = re.compile(r"`[^`]*`")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
STEPS = re.compile(r", step \S+\)|shrinks from \S+ to \S+;")
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")


class Block(NamedTuple):
    """A fenced block: its language, its text, and where the text stands in the page."""

    language: str
    text: str
    start: int
    line: int

    @property
    def quoted(self) -> str | None:
        """The path of the source file that the block quotes, None where it is run."""
        found = QUOTED.match(self.text) if self.language == "python" else None
        return found[1] if found else None


class Step(NamedTuple):
    """A Python block that was run, what it printed, and the text block right after it, if any."""

    block: Block
    printed: str
    shown: Block | None

    def compared(self) -> tuple[str, str]:
        """Return what it printed and what the page shows, both without their numbers if they are of one machine."""
        shown = self.shown.text if self.shown else ""
        if shown.startswith("GradientError: "):
            return without_last_digits(self.printed), without_last_digits(shown)
        if not shown.startswith(MACHINE):
            return self.printed, shown
        return NUMBER.sub("0", self.printed), NUMBER.sub("0", shown.removeprefix(MACHINE))


def pages() -> list[Path]:
    """Return all pages of the documentation, sorted."""
    return sorted(DOCS.rglob("*.md"))


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the page's fenced blocks of these languages, of any where none is named."""
    text = page.read_text(encoding="utf-8")
    found = [Block(m[1], m[2], m.start(2), text.count("\n", 0, m.start(2))) for m in FENCE.finditer(text)]
    return [block for block in found if not languages or block.language in languages]


def runs(page: Path) -> bool:
    """Return whether the page has code that is run."""
    return any(block.quoted is None for block in blocks(page, "python"))


def imported(page: Path) -> set[str]:
    """Return the names of the top-level packages that the page's code imports."""
    names: set[str] = set()
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block.text)) if block.quoted is None else ():
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return names


def links(page: Path) -> list[str]:
    """Return the files that the page's prose links or shows, as it writes them."""
    return LINK.findall(INLINE.sub("", FENCE.sub("", page.read_text(encoding="utf-8"))))


def run(page: Path) -> Iterator[Step]:
    """Run the page's Python blocks in the working directory, and yield each with what it printed."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    every = [block for block in blocks(page, "python", "text") if block.quoted is None]
    for block, after in pairwise([*every, None]):
        if block is None or block.language != "python":
            continue
        # as many empty lines before it: an error names the line of the page
        code = compile("\n" * block.line + block.text, page.name, "exec")
        with redirect_stdout(io.StringIO()) as out:
            try:
                exec(code, namespace)
            except GradientError as error:
                print(f"GradientError: {error}")
        yield Step(block, out.getvalue(), after if after and after.language == "text" else None)


def rewritten(page: Path) -> str:
    """Return the page's text with what its blocks print."""
    text = page.read_text(encoding="utf-8")
    for step in reversed(list(run(page))):
        if step.shown is not None:
            head = MACHINE if step.shown.text.startswith(MACHINE) else ""
            start, end = step.shown.start, step.shown.start + len(step.shown.text)
            text = text[:start] + head + step.printed + text[end:]
    return text


def without_last_digits(words: str) -> str:
    """Return a checker's words without what differs between machines: steps, and digits after the sixth."""
    return NUMBER.sub(lambda number: f"{float(number[0].replace(',', '')):.6g}", STEPS.sub("", words))


def is_quoted_from(quote: str, source: str) -> bool:
    """Return whether the pieces of a quote, between lines of `...`, stand in the source in this order.

    A piece may be indented less than in the source, by the same number of spaces in every line. Empty lines are free.
    """
    lines, at = _full(source), 0
    for piece in re.split(r"^\s*\.\.\.\n", quote, flags=re.MULTILINE):
        wanted = _dedented(_full(piece))
        found = next((i for i in range(at, len(lines)) if _dedented(lines[i : i + len(wanted)]) == wanted), None)
        if found is None:
            return False
        at = found + len(wanted)
    return True


def _full(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _dedented(lines: list[str]) -> list[str]:
    return textwrap.dedent("\n".join(lines)).splitlines()


def main(paths: list[str]) -> None:
    """Write into the pages what their blocks print."""
    sys.path.insert(0, str(ROOT))
    for page in [Path(path).resolve() for path in paths]:
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            text = rewritten(page)
        page.write_text(text, encoding="utf-8")
        print(os.path.relpath(page))


if __name__ == "__main__":
    main(sys.argv[1:])
