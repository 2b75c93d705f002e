"""`functional-nn check` and how MODULE:LAYER is found: right layers, wrong ones, and what is no layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from functional_nn import layers
from functional_nn.cli.target import layer_of
from tests.cli.conftest import Run

MODULE = """
import numpy as np
import functional_nn as fnn

@fnn.constructor
def scale(start: float = 1.0, wrong: bool = False) -> fnn.Layer:
    def init(rng, input_shape):
        return {"w": np.full(input_shape, start, np.float32)}

    def vjp(params, x, *, key=None, wrt_x=True):
        w = params["w"]
        return x * w, lambda dy: ({"w": (dy * x).sum(0)}, dy * (2 * w if wrong else w) if wrt_x else None)

    return fnn.Layer("scale", init=init, vjp=vjp, parameters=("w",))

half = scale(0.5)
number = 3

class nested:
    half = half

def not_a_layer():
    return "layer"

def broken():
    raise RuntimeError("my own mistake")

def fails_later():
    def vjp(params, x, *, key=None, wrt_x=True):
        raise KeyError("my own mistake")
    return fnn.Layer("late", vjp=vjp)
"""


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # undone after the test, with what `check` adds
    Path("own_layers.py").write_text(MODULE)
    (tmp_path / "sub folder").mkdir()
    Path("sub folder/more.py").write_text(MODULE)


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("own_layers.py:scale", "scale()"),
        ("own_layers.py:half", "scale(start=0.5)"),
        ("own_layers.py:nested.half", "scale(start=0.5)"),
        ("own_layers:scale(2.0)", "scale(start=2.0)"),
        ("sub folder/more.py:scale(start=-1.5)", "scale(start=-1.5)"),
        ("functional_nn.layers:dense(3)", "dense(3)"),
        ("functional_nn.layers:relu", "relu"),
    ],
)
def test_right_layers_pass(target: str, shown: str, run: Run) -> None:
    ran = run("check", target, "--input-shape", "5")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{shown}: no wrong gradient was found, for inputs (n, 5) and others that fit\n"


def test_a_wrong_gradient_is_told_with_where_and_how(run: Run) -> None:
    ran = run("check", "own_layers.py:scale(wrong=True)", "--input-shape", "2,3")
    assert ran.code == 1
    assert ran.out.startswith("scale.x[")
    assert "wrong derivative" in ran.out
    assert "Gradients that are wrong: x; right: w." in ran.out


def test_verbose_lists_the_points(run: Run) -> None:
    assert len(run("check", "own_layers.py:half", "--input-shape", "5", "--verbose").out.splitlines()) > 3


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("own_layers.py", "expected MODULE:LAYER"),
        ("own_layers.py:", "expected MODULE:LAYER"),
        ("missing.py:scale", "missing.py: there is no such file"),
        ("no_such_module:scale", "no_such_module: there is no such module here"),
        ("no_such.module:scale", "no_such.module: there is no such module here"),
        ("own_layers.py:scala", "own_layers.py has no scala; it has"),
        ("own_layers.py:number", "is a int, expected a Layer"),
        ("own_layers.py:not_a_layer", "is a str, expected a Layer"),
        ("own_layers.py:half(2)", "is a Layer: give it without arguments"),
        ("own_layers.py:scale(2, 3, 4)", "too many positional arguments"),
        ("own_layers.py:scale(2", "expected MODULE:LAYER"),
        ("own_layers.py:scale(number)", "cannot read its arguments"),
        ("own_layers.py:scale(**{'start': 2})", "cannot read its arguments"),
        ("own_layers.py:scale(2)(3)", "cannot read its arguments"),
        ("own_layers.py:scale(__import__('os').mkdir('run'))", "cannot read its arguments"),
    ],
)
def test_what_is_no_layer_is_told_in_a_line(target: str, message: str, run: Run) -> None:
    ran = run("check", target, "--input-shape", "5")
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.startswith("functional-nn: error: ")
    assert ran.err.count("\n") == 1
    assert not Path("run").exists()


@pytest.mark.parametrize("target", ["own_layers.py:broken", "own_layers.py:fails_later", "bad.py:x"])
def test_the_users_own_errors_keep_their_traceback(target: str, run: Run) -> None:
    Path("bad.py").write_text("raise ZeroDivisionError('my own mistake')")
    ran = run("check", target, "--input-shape", "5")
    assert ran.code == 1
    assert "Traceback" in ran.err
    assert "my own mistake" in ran.err


@pytest.mark.parametrize(
    "text",
    [
        "import sys\nsys.exit('my own end')",
        "import sys\ndef x(): sys.exit('my own end')",
        "import sys\nfrom functional_nn import Layer\n"
        "def vjp(params, x, *, key=None, wrt_x=True): sys.exit('my own end')\nx = Layer('x', vjp=vjp)",
    ],
)
def test_an_exit_in_the_users_own_code_is_an_error(text: str, run: Run) -> None:
    Path("ends.py").write_text(text)
    ran = run("check", "ends.py:x", "--input-shape", "5")
    assert ran.code == 1
    assert "SystemExit: my own end" in ran.err
    assert ran.err.endswith(": the traceback is above\n")


def test_an_input_that_would_take_minutes_is_refused(run: Run) -> None:
    ran = run("check", "functional_nn.layers:relu", "--input-shape", "1000,1001")
    assert ran.code == 2
    assert "--input-shape: one input has 1,001,000 numbers, expected 1,000,000 at most" in ran.err


def test_an_input_shape_that_does_not_fit_is_told_in_a_line(run: Run) -> None:
    ran = run("check", "functional_nn.layers:conv2d(3, 5)", "--input-shape", "4,4,1")
    assert ran.code == 2
    assert ran.err.startswith("functional-nn: error: conv2d")
    assert ran.err.count("\n") == 1


def test_a_file_may_have_the_name_of_a_module_in_use() -> None:
    import random

    Path("random.py").write_text(MODULE)
    assert repr(layer_of("random.py:half")) == "scale(start=0.5)"
    import sys

    assert sys.modules["random"] is random


def test_windows_paths_are_split_at_the_last_colon(monkeypatch: pytest.MonkeyPatch) -> None:
    for target in (r"C:\mine\own.py:relu", "C:/mine/own.py:relu"):
        seen = []
        monkeypatch.setattr("functional_nn.cli.target._module", lambda name, seen=seen: seen.append(name) or layers)
        assert layer_of(target) is layers.relu
        assert seen == [target.rpartition(":")[0]]
