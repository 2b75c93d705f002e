"""Imports of experiments run downward, and reach nothing of functional_nn that is not public."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "experiments").rglob("*.py"))

# A room may import from itself and from the rooms at its right.
ROOMS = {
    "mnist": {"mnist_trials", "single", "running", "showing"},
    "mnist_trials": {"running", "showing"},
    "resnet": {"single", "running", "showing"},
    "single": {"running", "showing"},
    "reproduce": {"report", "running", "showing"},
    "search": {"report", "running", "showing"},
    "autopsy": {"report", "running", "showing"},
    "report": {"running", "showing"},
    "autoencoder": {"running"},
    "sklearn_side_by_side": {"running"},
    "running": {"showing"},
    "showing": set(),
    "mutants": {"running", "showing"},
    "benchmark": {"running", "showing"},
    "scaling": {"benchmark", "running", "showing"},
}
# These two train no rows: they share their command line, the machine's facts and the writing of files with the others.
APART = {"mutants", "benchmark"}
SHARED = {"experiments.running.options", "experiments.running.machine", "experiments.showing.files"}

PUBLIC = (
    "tree", "keys", "layers", "losses", "models", "optim", "data", "initializers", "compose", "testing",
    "testing.strategies", "arguments", "anatomy", "training", "plots", "answers",
    "interop.sklearn",
)  # fmt: skip
MODULES = {"functional_nn", *(f"functional_nn.{name}" for name in PUBLIC)}


def imports(file):
    """Yield (module, name or None) for everything that a file imports; fail on a relative import."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import"
            yield from ((node.module, alias.name) for alias in node.names)


def name_of(file):
    return str(file.relative_to(ROOT / "experiments"))


def room(dotted):
    return dotted.split(".")[1] if "." in dotted else ""


def wrong_rooms(file):
    """Return the modules of experiments that a file may not import."""
    own = file.relative_to(ROOT / "experiments").parts[0].removesuffix(".py")
    wrong = []
    for module, name in imports(file):
        if module.partition(".")[0] != "experiments":
            continue
        target = f"{module}.{name}" if module.count(".") == 0 else module
        if room(target) == own:
            continue
        packages_name = f"{module}.{name}"
        shared = module in SHARED or packages_name in SHARED
        if room(target) not in ROOMS.get(own, set()) or (own in APART and not shared):
            wrong.append(target)
    return wrong


def private_names(file):
    """Return what a file takes of functional_nn that is not public."""
    wrong, aliases = [], {}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "functional_nn":
                    aliases[alias.asname or alias.name.partition(".")[0]] = "functional_nn"
                    wrong += [] if alias.name in MODULES else [alias.name]
        elif isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "functional_nn":
            wrong += [f"{node.module}.{alias.name}" for alias in node.names if not is_public(node.module, alias.name)]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = aliases.get(node.value.id)
            if owner and not node.attr.startswith("__") and not is_public(owner, node.attr):
                wrong.append(f"{owner}.{node.attr}")
    return wrong


def is_public(module, name):
    """Return whether `name` is a public name of a public module, or itself a public module."""
    if name.startswith("_") or module not in MODULES:
        return False
    return f"{module}.{name}" in MODULES or name in getattr(importlib.import_module(module), "__all__", ())


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_imports_run_downward(file):
    assert wrong_rooms(file) == []


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_experiments_use_the_public_api_alone(file):
    assert private_names(file) == []


def test_every_room_is_known():
    rooms = {path.stem for path in (ROOT / "experiments").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__pycache__"} == set(ROOMS)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("from experiments.reproduce.tables import table", ["experiments.reproduce.tables"]),
        ("from experiments import search", ["experiments.search"]),
        ("import experiments.mnist", ["experiments.mnist"]),
        ("from experiments.showing import page", []),
        ("from experiments.running.row import Row", []),
    ],
)
def test_an_upward_import_is_found(line, wrong, monkeypatch):
    assert wrong_rooms(written(line, "running", monkeypatch)) == wrong


def test_what_stands_apart_shares_the_command_line_alone(monkeypatch):
    assert wrong_rooms(written("from experiments.running.options import seed", "mutants", monkeypatch)) == []
    assert wrong_rooms(written("from experiments.running.row import Row", "mutants", monkeypatch)) != []


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ("from functional_nn import parallel", ["functional_nn.parallel"]),
        ("from functional_nn.layers._memory import in_order", ["functional_nn.layers._memory.in_order"]),
        ("from functional_nn.layers import _memory", ["functional_nn.layers._memory"]),
        ("import functional_nn.grad", ["functional_nn.grad"]),
        ("import functional_nn.layers.conv", ["functional_nn.layers.conv"]),
        ("from functional_nn.layers import conv", ["functional_nn.layers.conv"]),
        ("from functional_nn.layers.conv import conv2d", ["functional_nn.layers.conv.conv2d"]),
        ("import functional_nn as fnn\nfnn.train.fit()", ["functional_nn.train"]),
        ("import functional_nn as fnn\nfrom functional_nn import layers\nfnn.fit(layers.relu)", []),
        ("from functional_nn.testing import check_vjp, strategies", []),
    ],
)
def test_what_is_not_public_is_found(lines, wrong, monkeypatch):
    assert private_names(written(lines, "running", monkeypatch)) == wrong


def written(text, own_room, monkeypatch):
    """Return a path in a room of experiments that reads as `text`."""
    file = ROOT / "experiments" / own_room / "written.py"
    monkeypatch.setattr(Path, "read_text", lambda *arguments, **keywords: text)
    return file
