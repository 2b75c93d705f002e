"""The how-to page on scikit-learn: its examples run, and print what it shows."""

import contextlib
import io
import re
from pathlib import Path

import pytest

pytest.importorskip("sklearn", minversion="1.6")

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "scikit-learn.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, flags=re.DOTALL)


def test_the_examples_of_the_page_run_and_print_what_it_shows():
    names = {}
    assert len(BLOCKS) >= 6
    for code, shown in BLOCKS:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        assert printed.getvalue() == shown, code
