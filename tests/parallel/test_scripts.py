"""Scripts and notebooks: no main guard, and layers, losses, transforms and functions that they define go along."""

from __future__ import annotations

import pytest

from tests.parallel.leftovers import nothing_left
from tests.parallel.scripts import ended, run, started

PLAIN = """
with fnn.processes(2) as comm:
    print(same(fit(comm), fit(None)))
"""

OWN = """
from typing import NamedTuple
from functional_nn.optim import Transform
from functional_nn.value import constant

shift, calls = np.array([0.5, -0.5, 0.25], np.float32), []

@fnn.constructor
def scaled(factor, function):
    def vjp(params, x, *, key=None, wrt_x=True):
        return factor * function(x), lambda dy: ({}, factor * dy)
    return fnn.Layer("scaled", vjp=vjp, output_shape=lambda shape: shape)

@constant
def doubled():
    def vjp(params, x, *, key=None, wrt_x=True):
        return 2 * x, lambda dy: ({}, 2 * dy)
    return fnn.Layer("doubled", vjp=vjp, output_shape=lambda shape: shape)

def squares(outputs, targets):
    rows = np.eye(2, dtype=outputs.dtype)[targets]
    return float(((outputs - rows) ** 2).mean()), lambda dvalue: 2 * dvalue * (outputs - rows) / outputs.size

class Count(NamedTuple):
    steps: int

@fnn.constructor
def halving(rate):
    def update(grads, state, params):
        step = rate * 0.5**state.steps
        return fnn.tree.map(lambda g: (-step * g).astype(g.dtype), grads), Count(state.steps + 1)
    return Transform(lambda params: Count(0), update)

class Shift:
    def __init__(self, by):
        self.by = by
    def __call__(self, x, key):
        return x + self.by

def shifted(x, key):
    return x + shift

def grad_fn(params, x, targets, *, key=None):
    return float((x @ params["w"]).sum()), {"w": x.sum(axis=0)[:, np.newaxis]}

mine = fnn.serial(
    s=scaled(0.5, lambda x: x + 1), d=doubled, plain=fnn.Layer("plain", vjp=lambda p, x, key=None, wrt_x=True: (
        x, lambda dy: ({}, dy)), output_shape=lambda shape: shape), f=layers.dense(4), o=layers.dense(2))
own = {"loss": fnn.losses.Loss("squares", vjp=squares), "optimizer": halving(0.1)}
with fnn.processes(4) as comm:
    for transform in (shifted, lambda x, key: x * shift, Shift(shift), fnn.data.chain(shifted)):
        one, four = (fit(c, mine, **own, transform=transform, validation=(x, labels)) for c in (None, comm))
        print(same(one, four), type(four.state) is Count)
    params = one.params
    print(np.array_equal(fnn.predict(mine, params, x, comm=comm), fnn.predict(mine, params, x)))
    w = {"w": np.ones((3, 1), np.float32)}
    print(same(fnn.data_parallel(grad_fn, chunk=4, comm=comm)(w, x, x), fnn.data_parallel(grad_fn, chunk=4)(w, x, x)))
"""

WITH_MAIN_GUARD = """
print("begins")
if __name__ == "__main__":
    with fnn.processes(2) as comm:
        print(same(fit(comm), fit(None)))
"""


@pytest.mark.parametrize("stdin", [False, True], ids=["a file", "standard input, as a notebook's cells"])
def test_a_script_needs_no_main_guard(tmp_path, stdin):
    with nothing_left(str(tmp_path)):
        assert run(tmp_path, PLAIN, stdin=stdin).split() == ["True"]


@pytest.mark.parametrize("stdin", [False, True], ids=["a file", "standard input, as a notebook's cells"])
def test_what_a_script_defines_goes_along(tmp_path, stdin):
    with nothing_left(str(tmp_path)):
        assert run(tmp_path, OWN, stdin=stdin).split() == ["True", "True"] * 4 + ["True"] * 2


def test_the_script_runs_once(tmp_path):
    assert run(tmp_path, WITH_MAIN_GUARD).split() == ["begins", "True"]


def test_modules_beside_the_script_are_found(tmp_path):
    (tmp_path / "beside.py").write_text("def shifted(x, key):\n    return x + 1\n")
    text = """
import beside
with fnn.processes(2) as comm:
    print(same(fit(comm, transform=beside.shifted), fit(None, transform=beside.shifted)))
"""
    assert run(tmp_path, text).split() == ["True"]


def test_what_the_others_print_is_shown(tmp_path):
    text = """
def telling(x, key):
    print("here" if os.getpid() == script else "there")
    return x

with fnn.processes(2) as comm:
    fit(comm, transform=telling, epochs=1)
"""
    lines = run(tmp_path, text).split()
    assert lines.count("there") >= 2  # a chunk of each of two steps


RAISES = """
class Mine(Exception):
    def __init__(self, text, number):
        super().__init__(text, number)
        self.number = number

def failing(x, key):
    if os.getpid() != script:
        raise Mine("there", 7)
    return x

def callback(result):
    raise Mine("here", 8)

with fnn.processes(2) as comm:
    for options in ({"transform": failing}, {"callback": callback}):
        try:
            fit(comm, **options)
        except Mine as error:
            from_there, result = "in failing" in str(error.__notes__), hasattr(error, "result")
            print(error.args, error.number, type(error) is Mine, from_there, result)
    print(same(fit(comm), fit(None)))
"""


@pytest.mark.parametrize("stdin", [False, True])
def test_a_scripts_own_errors_keep_their_type(tmp_path, stdin):
    with nothing_left(str(tmp_path)):
        assert run(tmp_path, RAISES, stdin=stdin).splitlines() == [
            "('there', 7) 7 True True False",
            "('here', 8) 8 True False True",
            "True",
        ]


def test_an_error_that_no_one_catches_shows_both_tracebacks(tmp_path):
    text = RAISES.split("with fnn")[0] + "with fnn.processes(2) as comm:\n    fit(comm, transform=failing)\n"
    with nothing_left(str(tmp_path)):
        code, out, err = ended(started(tmp_path, text))
    assert (code, out) == (1, "")
    assert err.count("Traceback (most recent call last)") == 2
    assert "Mine: ('there', 7)\non rank 1 of 2:" in err
    assert 'raise Mine("there", 7)' in err
