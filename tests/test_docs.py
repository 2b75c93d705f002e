"""The reference lists everything public, and the layer that CONTRIBUTING shows is right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functional_nn.testing import check_vjp
from tests.public import is_here, names_in, names_of_modules

DOCS = Path(__file__).parents[1] / "docs"
DIRECTIVE = re.compile(r"^\.\. (currentmodule|auto\w+|py:data):: (\S+)$", flags=re.MULTILINE)


def listed(text: str) -> list[tuple[str, str]]:
    """Return (module, name) of every entry on a reference page."""
    entries, module = [], ""
    for directive, name in DIRECTIVE.findall(text):
        if directive == "currentmodule":
            module = name
        else:
            entries.append((module, name))
    return entries


PAGES = {page.name: listed(page.read_text(encoding="utf-8")) for page in (DOCS / "reference").glob("*.md")}
ENTRIES = [entry for entries in PAGES.values() for entry in entries]


@pytest.mark.parametrize("module", names_of_modules())
def test_every_public_name_is_in_the_reference(module: str) -> None:
    if not is_here(module):
        pytest.skip(f"{module} needs an extra")
    missing = [name for name in names_in(module) if (module, name) not in ENTRIES]
    assert not missing, f"no page of docs/reference has {module}: {', '.join(missing)}"


def test_no_name_is_listed_twice() -> None:
    assert len(ENTRIES) == len(set(ENTRIES)) > 100


def test_a_name_belongs_to_the_module_that_stands_above_it() -> None:
    lines = ["autofunction:: lost", "currentmodule:: a", "autofunction:: f", "currentmodule:: b", "py:data:: F"]
    text = "\n".join(f".. {line}" for line in lines)
    assert listed(text) == [("", "lost"), ("a", "f"), ("b", "F")]


def test_every_page_of_the_reference_is_in_its_contents() -> None:
    contents = (DOCS / "reference" / "index.md").read_text(encoding="utf-8")
    for page in PAGES.keys() - {"index.md"}:
        assert f"({page})" in contents, f"docs/reference/index.md does not lead to {page}"


def test_the_layer_that_contributing_shows_is_right() -> None:
    text = (DOCS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    namespace: dict[str, Any] = {}
    exec(compile(source, "CONTRIBUTING.md", "exec"), namespace)
    layer, x = namespace["prelu"](start=0.5), np.random.default_rng(0).standard_normal((3, 2, 4))
    params = {"w": np.array([0.5, -0.5, 0.0, 2.0])}
    check_vjp(layer, params, x)
    assert layer.apply(params, np.array([[-1.0, -1.0, -1.0, 3.0]])).tolist() == [[-0.5, 0.5, 0.0, 3.0]]
    assert layer.init(np.random.default_rng(0), (2, 4))["w"].tolist() == [0.5] * 4
    assert repr(layer) == "prelu(start=0.5)"
