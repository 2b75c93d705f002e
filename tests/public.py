"""What is public: the modules that users import, and the names that each of them exports."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import functional_nn as fnn
from functional_nn.value import Value

PACKAGE = Path(fnn.__file__).parent
BESIDES = ("answers", "arguments", "errors", "plots", "testing.strategies")  # public, and not attributes of `fnn`
PEERS = {"onnx", "sklearn", "torch"}  # in `interop`
EXTRAS = {"PIL", "matplotlib", "hypothesis", "safetensors", "sklearn", "torch", "jax", "onnx"}  # what may be missing


def names_of_modules() -> list[str]:
    """Return the public modules: the package, those that it exports, those beside it, and peers."""
    exported = [name for name in fnn.__all__ if inspect.ismodule(getattr(fnn, name))]
    peers = [f"interop.{path.stem}" for path in (PACKAGE / "interop").glob("*") if path.stem in PEERS]
    return ["functional_nn", *(f"functional_nn.{name}" for name in sorted([*exported, *BESIDES, *peers]))]


def is_here(module: str) -> bool:
    """Return whether what a module of the library needs is installed."""
    try:
        module_of(module)
    except ImportError as error:
        if error.name not in EXTRAS:
            raise
        return False
    return True


def module_of(name: str) -> ModuleType:
    """Return the module of this name; `fnn.callbacks` stands in another place than its name says."""
    parent, _, last = name.rpartition(".")
    return getattr(fnn, last) if parent == "functional_nn" and last in fnn.__all__ else importlib.import_module(name)


def names_in(module: str) -> list[str]:
    """Return the names that a public module exports, but for modules."""
    exporting = module_of(module)
    exported = [name for name in exporting.__all__ if not inspect.ismodule(getattr(exporting, name))]
    assert exported, f"{module} exports nothing"
    return exported


def documented_things() -> Iterator[tuple[str, Any]]:
    """Yield every public function, class and value that has a docstring of its own, once, by its public name."""
    seen: set[int] = set()
    for module in filter(is_here, names_of_modules()):
        for name in names_in(module):
            thing = getattr(module_of(module), name)
            is_documented = inspect.isroutine(thing) or inspect.isclass(thing) or isinstance(thing, Value)
            if is_documented and id(thing) not in seen:
                seen.add(id(thing))
                yield f"{module}.{name}", thing


def home_of(thing: Any) -> str:
    """Return the module in which a thing is written: for a value, that of the function which made it."""
    return (thing.call.constructor if isinstance(thing, Value) else thing).__module__
