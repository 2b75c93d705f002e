"""Schedules at the steps where their exact values are known."""

import math
import pickle

import numpy as np
import pytest

from functional_nn import optim
from tests.refusals import refused


def test_step_decay_falls_after_every_so_many_updates():
    schedule = optim.step_decay(0.8, every=3, factor=0.5)
    assert [schedule(step) for step in range(8)] == [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2]
    assert optim.step_decay(1.0, every=1)(2) == pytest.approx(0.01)


def test_cosine_falls_from_rate_to_final():
    schedule = optim.cosine(1.0, steps=4, final=0.2)
    middle = (1.0 + math.sqrt(0.5)) / 2.0
    expected = [1.0, 0.2 + 0.8 * middle, 0.6, 0.2 + 0.8 * (1.0 - middle), 0.2, 0.2, 0.2]
    assert [schedule(step) for step in range(7)] == pytest.approx(expected, abs=1e-15)


def test_cosine_warms_up_linearly_and_never_starts_at_zero():
    schedule = optim.cosine(1.0, steps=8, warmup=4)
    assert [schedule(step) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert schedule(6) == pytest.approx(0.5)
    assert schedule(8) == schedule(1000) == 0.0


def test_exponential_falls_by_its_factor_over_every_so_many_updates():
    schedule = optim.exponential(0.8, 0.25, every=2)
    assert [schedule(step) for step in range(5)] == pytest.approx([0.8, 0.4, 0.2, 0.1, 0.05])


def test_piecewise_changes_at_its_boundaries():
    schedule = optim.piecewise((0.3, 0.2, 0.1), (2, 3))
    assert [schedule(step) for step in range(5)] == [0.3, 0.3, 0.2, 0.1, 0.1]
    assert optim.piecewise((0.5,), ())(100) == 0.5


def test_one_cycle_rises_to_its_rate_and_falls_to_its_end():
    schedule = optim.one_cycle(1.0, steps=11, warmup=6 / 11, start=10.0, final=100.0)
    assert [schedule(step) for step in (0, 5, 10, 11, 99)] == pytest.approx([0.1, 1.0, 0.001, 0.001, 0.001])
    assert schedule(2) == pytest.approx(0.1 + 0.9 * (1 - math.cos(math.pi * 2 / 5)) / 2)
    assert schedule(7) == pytest.approx(0.001 + 0.999 * (1 + math.cos(math.pi * 2 / 5)) / 2)
    assert optim.one_cycle(1.0, steps=2, warmup=0.5)(0) == 1.0
    flat = optim.one_cycle(0.5, steps=9, start=1.0, final=1.0)
    assert [flat(step) for step in (0, 4, 8)] == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    "schedule",
    [
        optim.step_decay(1, every=2),
        optim.cosine(1, steps=10, warmup=3),
        optim.exponential(1, 0.5),
        optim.piecewise((2, 1), (5,)),
        optim.one_cycle(1, 10),
    ],
)
def test_schedules_are_values_that_give_python_floats(schedule):
    assert all(type(schedule(step)) is float for step in range(12))
    assert eval(repr(schedule), vars(optim)) == schedule
    assert pickle.loads(pickle.dumps(schedule)) == schedule


NOT_NEGATIVE = "expected a finite number that is not negative"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.exponential(1.0, 0.0), "exponential: factor is 0.0, expected a finite number above 0"),
        (lambda: optim.exponential(-1.0, 0.5), f"exponential: rate is -1.0, {NOT_NEGATIVE}"),
        (lambda: optim.exponential(1.0, 0.5, every=0), "exponential: every is 0, expected an int of at least 1"),
        (lambda: optim.piecewise((1.0,), (2,)), "piecewise: 1 rates and 1 boundaries, expected one more rate"),
        (
            lambda: optim.piecewise((1.0, 0.5, 0.1), (3, 2)),
            "piecewise: boundaries are (3, 2), expected numbers of updates that rise",
        ),
        (
            lambda: optim.piecewise((1.0, 0.5, 0.1), (2, 2)),
            "piecewise: boundaries are (2, 2), expected numbers of updates that rise",
        ),
        (lambda: optim.piecewise((1.0, -0.5), (3,)), f"piecewise: rates is -0.5, {NOT_NEGATIVE}"),
        (lambda: optim.piecewise(1.0, (3,)), "piecewise: rates is 1.0, expected a tuple of numbers"),
        (lambda: optim.piecewise((1.0, 0.5), 3), "piecewise: boundaries is 3, expected a tuple of numbers"),
        (lambda: optim.one_cycle(-1.0, 10), f"one_cycle: rate is -1.0, {NOT_NEGATIVE}"),
        (lambda: optim.one_cycle(1.0, 1), "one_cycle: steps is 1, expected an int of at least 2"),
        (
            lambda: optim.one_cycle(1.0, 10, warmup=0.0),
            "one_cycle: warmup is 0, the share of the steps in which the rate rises: expected above 0",
        ),
        (
            lambda: optim.one_cycle(1.0, 10, warmup=1.0),
            "one_cycle: warmup is 1.0, expected a number from 0 up to but without 1",
        ),
        (
            lambda: optim.one_cycle(1.0, 10, start=0.5),
            "one_cycle: start is 0.5, expected a finite number of at least 1",
        ),
        (
            lambda: optim.one_cycle(1.0, 10, final=0.5),
            "one_cycle: final is 0.5, expected a finite number of at least 1",
        ),
        (lambda: optim.step_decay(-1.0, every=2), f"step_decay: rate is -1.0, {NOT_NEGATIVE}"),
        (lambda: optim.step_decay(1.0, every=0), "step_decay: every is 0, expected an int of at least 1"),
        (lambda: optim.step_decay(1.0, every=1, factor=-0.5), f"step_decay: factor is -0.5, {NOT_NEGATIVE}"),
        (lambda: optim.cosine(-1.0, steps=10), f"cosine: rate is -1.0, {NOT_NEGATIVE}"),
        (lambda: optim.cosine(1.0, steps=10, warmup=10), "cosine: warmup is 10, expected fewer than the 10 steps"),
        (lambda: optim.cosine(1.0, steps=0), "cosine: steps is 0, expected an int of at least 1"),
        (lambda: optim.cosine(1.0, steps=10, warmup=-1), "cosine: warmup is -1, expected an int of at least 0"),
        (lambda: optim.cosine(1.0, steps=10, final=-1.0), f"cosine: final is -1.0, {NOT_NEGATIVE}"),
    ],
)
def test_settings_without_a_meaning_are_refused(make, message):
    with refused(ValueError, message):
        make()


def test_a_step_below_zero_is_refused():
    with refused(ValueError, "schedule: step is -1, expected an int of at least 0"):
        optim.cosine(0.1, 10, warmup=2)(-1)


@pytest.mark.parametrize("rate", [None, -1.0, "0.1"])
def test_a_schedule_of_ones_own_that_gives_no_rate_is_refused(rate):
    params = {"w": np.ones(2, np.float32)}
    optimizer = optim.sgd(lambda step: rate if step else 0.1)
    _, state = optimizer.update(params, optimizer.init(params), params)
    message = f"the schedule's rate at step 1 is {rate!r}, expected a number that is not negative"
    with refused(ValueError, f"scale_by_learning_rate: {message}"):
        optimizer.update(params, state, params)
