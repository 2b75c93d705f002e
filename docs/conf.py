"""The site, from Markdown and docstrings: `python -m sphinx -W --keep-going -b html docs out/site` builds it."""

from __future__ import annotations

import logging
import re
from typing import Any

import latex2mathml.converter
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

import functional_nn

project = "functional_nn"
version = release = functional_nn.__version__
copyright = "the authors of functional_nn"
html_show_copyright = False

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton"]

html_theme = "furo"
html_title = "functional_nn"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = False
pygments_style, pygments_dark_style = "friendly", "github-dark"
copybutton_prompt_text, copybutton_prompt_is_regexp = r">>> |\.\.\. ", True

myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "colon_fence"]
myst_heading_anchors = 3

default_role = "py:obj"  # `tree.map` in a docstring leads to it where it is public, and is code everywhere
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
ALIASES = "Init Params Pullback Shape Vjp Apply Pair Padding Margins Schedule Tree State Split Function Check Data"
autodoc_type_aliases = {name: name for name in ALIASES.split()}  # as they are written, not what they stand for
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
python_trailing_comma_in_multi_line_signatures = False
smartquotes = False  # (n, ...) is a shape
toc_object_entries_show_parents = "hide"


ITEM = re.compile(r"^(\w+(?:, \w+)*) : ", flags=re.MULTILINE)


def with_bare_aliases(
    app: Sphinx, what: str, name: str, thing: object, options: Any, signature: str, returned: str
) -> Any:
    """Write an alias within a union as its name, too."""
    return tuple(text and re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", text) for text in (signature, returned))


def as_rst(app: Sphinx, what: str, name: str, thing: object, options: Any, lines: list[str]) -> None:
    """Turn a docstring into reStructuredText."""
    lines[:] = "\n\n".join(map(paragraph_as_rst, "\n".join(lines).split("\n\n"))).split("\n")


def paragraph_as_rst(text: str) -> str:
    """Return a paragraph: an example, an indented block, a section of items `name : what it is`, or prose."""
    if text.startswith(">>>"):
        return text
    if text.startswith("    "):
        return f"::\n\n{text}"
    head, underline, rest = [*text.split("\n", 2), "", ""][:3]
    if re.fullmatch("-{3,}", underline):
        return f"**{head}**\n\n{paragraph_as_rst(rest)}"
    if all(ITEM.match(line) or line.startswith("    ") for line in text.split("\n")):
        text = ITEM.sub(r"- `\1`: ", text).replace("\n    ", "\n  ")
    pieces = re.split(r"(`[^`]*`)", text)  # asterisks and bars mean themselves, outside of `code` too
    return "".join(p if p.startswith("`") else re.sub(r"[*|](?! )", r"\\\g<0>", p) for p in pieces)


def lead_to_public_name(app: Sphinx, env: Any, node: nodes.Element, content: nodes.Element) -> nodes.Element | None:
    """Resolve what Sphinx does not: `fnn.tie`, `optim.chain`, and on any page the names of `fnn`."""
    target = re.sub(r"\(.*\)$", "", node.get("reftarget", "")).removeprefix("fnn.")
    if node.get("refdomain") != "py" or not target:
        return None
    domain = env.domains.python_domain
    for name in (f"functional_nn.{target}", target):
        if name in domain.objects:
            entry = domain.objects[name]
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, name)
    return None


def write_inline(translator: Any, node: nodes.Element) -> None:
    """Write a formula as MathML, which browsers draw themselves: no script, and nothing from another site."""
    translator.body.append(latex2mathml.converter.convert(node.astext()))
    raise nodes.SkipNode


def write_display(translator: Any, node: nodes.Element) -> None:
    """Write a formula that stands on lines of its own; it scrolls where it is wider than the page."""
    formula = latex2mathml.converter.convert(node.astext(), display="block")
    translator.body.append(f'<div class="formula" tabindex="0">{formula}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Connect what stands above."""
    # A folder may have no pages yet.
    logging.getLogger("sphinx.sphinx.directives.other").addFilter(lambda record: "glob pattern" not in str(record.msg))
    app.connect("autodoc-process-docstring", as_rst)
    app.connect("autodoc-process-signature", with_bare_aliases)
    app.connect("missing-reference", lead_to_public_name)
    app.add_html_math_renderer("mathml", (write_inline, None), (write_display, None))
    app.config.html_math_renderer = "mathml"
