"""The examples in docstrings run and print what they promise, and everything public has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn.value import Value
from tests.public import EXTRAS, documented_things, home_of, is_here

# What an example may use without an import, as the reference says.
NAMESPACE = {
    "__name__": "__main__",
    "np": np,
    "fnn": fnn,
    **{name: importlib.import_module(f"functional_nn.{name}") for name in ("answers", "arguments")},
} | {name: getattr(fnn, name) for name in fnn.__all__ if inspect.ismodule(getattr(fnn, name))}

MODULES = ["functional_nn", *(found.name for found in pkgutil.walk_packages(fnn.__path__, "functional_nn."))]


def docstrings(module: ModuleType) -> Iterator[tuple[str, str]]:
    """The docstring of a module, and those of what is written in it and of its classes' methods."""
    yield module.__name__, module.__doc__ or ""
    for name, thing in vars(module).items():
        is_own = inspect.isroutine(thing) or inspect.isclass(thing) or (isinstance(thing, Value) and thing.call)
        if is_own and home_of(thing) == module.__name__:
            yield f"{module.__name__}.{name}", inspect.getdoc(thing) or ""
            if inspect.isclass(thing):
                for attribute, method in vars(thing).items():
                    if inspect.isfunction(method) or isinstance(method, property):
                        yield f"{module.__name__}.{name}.{attribute}", inspect.getdoc(method) or ""


HERE = [importlib.import_module(name) for name in MODULES if is_here(name)]
EXAMPLES = {name: doc for module in HERE for name, doc in docstrings(module) if ">>>" in doc}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory for the files that an example writes; figures are drawn without a display, and closed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    yield
    try:
        from matplotlib import pyplot
    except ImportError:
        return
    pyplot.close("all")


def run(name: str, doc: str) -> None:
    """Run the examples of a docstring; raise at the first that prints something else."""
    test = doctest.DocTestParser().get_doctest(doc, dict(NAMESPACE), name, None, None)
    try:
        doctest.DebugRunner().run(test)
    except doctest.UnexpectedException as error:
        raise error.exc_info[1] from None
    except doctest.DocTestFailure as failure:
        example = failure.example
        pytest.fail(f"{name}: >>> {example.source}expected {example.want!r}\ngot      {failure.got!r}", pytrace=False)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_prints_what_it_promises(name: str) -> None:
    try:
        run(name, EXAMPLES[name])
    except ImportError as error:
        if error.name not in EXTRAS:
            raise
        pytest.skip(f"the example needs {error.name}")


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_here_for_its_examples(module: str) -> None:
    if not is_here(module):
        pytest.skip(f"{module} needs an extra, so its examples were not run")


def lacks_example(thing: Any) -> bool:
    return ">>> " not in (inspect.getdoc(thing) or "")


def test_everything_public_has_an_example() -> None:
    lacking = [name for name, thing in documented_things() if lacks_example(thing)]
    assert not lacking, f"without an example that runs: {', '.join(lacking)}"


def test_a_wrong_example_is_told() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"expected '3\\n'\ngot      '2\\n'"):
        run("wrong", ">>> 1 + 1\n3\n")
    with pytest.raises(ZeroDivisionError):
        run("raises", ">>> 1 / 0\n3\n")
