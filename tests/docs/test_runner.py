"""The runner of pages notices what it is there for."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.docs.pages import MACHINE, blocks, imported, is_quoted_from, links, rewritten, run

SOURCE = """
def f(x):
    y = 2 * x

    def g(dy):
        return 2 * dy

    return y, g
"""


def page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def compared(path: Path) -> list[bool]:
    return [printed == shown for printed, shown in (step.compared() for step in run(path))]


def test_blocks_share_a_namespace_and_each_is_compared_with_the_text_right_after_it(tmp_path):
    path = page(
        tmp_path,
        """
        ```python
        a = 1
        ```

        ```python
        print(a)
        ```

        ```text
        1
        ```

        ```python
        print(a + 1)
        ```

        ```text
        3
        ```
        """,
    )
    assert compared(path) == [True, True, False]
    assert "```text\n2\n```" in rewritten(path)


def test_what_a_page_does_not_show_is_missed(tmp_path):
    assert compared(page(tmp_path, "```python\nprint(1)\n```\n\n```python\na = 1\n```\n")) == [False, True]


@pytest.mark.parametrize(("shown", "same"), [("0.91 of 7", True), ("0.91 in 7", False)])
def test_of_figures_of_one_machine_the_words_are_compared(shown, same, tmp_path):
    path = page(tmp_path, f"```python\nprint('-1e-05 of 1,234')\n```\n\n```text\n{MACHINE}{shown}\n```\n")
    assert compared(path) == [same]
    assert f"{MACHINE}-1e-05 of 1,234\n```" in rewritten(path)


def test_an_error_names_the_line_of_the_page(tmp_path):
    with pytest.raises(ZeroDivisionError) as caught:
        list(run(page(tmp_path, "# Title\n\n```python\na = 1\na / 0\n```\n")))
    last = caught.traceback[-1]
    assert (str(last.path), last.lineno + 1) == ("page.md", 5)


def test_quoted_code_is_not_run(tmp_path):
    path = page(tmp_path, "```python\n# functional_nn/layers/dense.py\n1 / 0\n```\n")
    assert list(run(path)) == []
    assert blocks(path)[0].quoted == "functional_nn/layers/dense.py"


@pytest.mark.parametrize(
    "quote",
    ["y = 2 * x\n", "    def g(dy):\n        return 2 * dy\n", "def f(x):\n    ...\n    return y, g\n"],
)
def test_lines_of_the_source_are_a_quote(quote):
    assert is_quoted_from(quote, SOURCE)


@pytest.mark.parametrize(
    "quote",
    ["y = 3 * x\n", "def g(dy):\n    return y, g\n", "return y, g\n...\ndef f(x):\n", "def g(dy):\nreturn 2 * dy\n"],
)
def test_other_lines_or_another_order_are_none(quote):
    assert not is_quoted_from(quote, SOURCE)


def test_imports_and_links_are_found_outside_of_quotes_and_code(tmp_path):
    path = page(
        tmp_path,
        "[a](b.md#part) `[c](d.md)` ![p](p.svg) [w](https://x.y)\n\n```python\nimport numpy.linalg\nf[0](x)\n```\n",
    )
    assert links(path) == ["b.md", "p.svg"]
    assert imported(path) == {"numpy"}
