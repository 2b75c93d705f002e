"""The how-to pages' examples run as they stand, and print what the pages say."""

import re
from pathlib import Path

import pytest

from tests.interop.peers import needs_onnx, needs_torch

PAGES = Path(__file__).parents[2] / "docs" / "how-to"


@pytest.mark.parametrize(
    "page", [pytest.param("pytorch.md", marks=needs_torch), pytest.param("onnx.md", marks=needs_onnx)]
)
def test_examples_print_what_the_page_says(page, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # the examples write files
    text = (PAGES / page).read_text(encoding="utf-8")
    promised = "".join(re.findall(r"^```text\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))
    namespace: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        exec(compile(block, page, "exec"), namespace)
    assert capsys.readouterr().out == promised
