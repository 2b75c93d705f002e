"""Right layers, losses and networks: the checker must let all of them pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

from experiments.mutants.cases import Library
from experiments.mutants.subjects import SUBJECTS, draw_case
from functional_nn import compose, keys, layers, losses
from functional_nn.testing import GradientError, check_vjp, strategies

LIBRARY = Library(layers, compose, losses)
FIRST_SEED = 1_000_000  # no mutant is judged on cases from here on


def check_subjects(numbers: range, seed: int) -> tuple[int, list[str]]:
    """Check a random case of a subject for each number; return their count, and the messages of false alarms."""
    alarms = []
    for number in numbers:
        case = draw_case(SUBJECTS[number % len(SUBJECTS)], keys.fold(seed, FIRST_SEED + number), LIBRARY)
        try:
            case.check(case.right, number)
        except GradientError as error:
            alarms.append(f"case {number}, {case.right!r}: {error}")
    return len(numbers), alarms


def check_networks(count: int, seed: int) -> tuple[int, list[str]]:
    """Check about `count` random networks of `testing.strategies`; return the same as `check_subjects`.

    They hold every public layer. Half of them are checked by their training pass, with a key, and hold batch norm and
    dropout too; half are in float32.
    """
    checked, alarms = 0, []
    shapes = st.one_of(strategies.vector_shapes(), strategies.image_shapes())

    @hypothesis_seed(seed)
    @settings(
        max_examples=count,
        phases=(Phase.generate,),
        deadline=None,
        database=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: Any) -> None:
        nonlocal checked
        shape = data.draw(shapes)
        keyed, dtype = data.draw(st.booleans()), data.draw(st.sampled_from((np.float64, np.float32)))
        network = data.draw(strategies.networks(shape, keyed=keyed))
        params = data.draw(strategies.params(network, shape, dtype))
        x = data.draw(strategies.batches(shape, min_size=2 if keyed else 1, dtype=dtype))
        checked += 1
        try:
            check_vjp(network, params, x, key=0 if keyed else None, seed=checked)
        except GradientError as error:
            alarms.append(f"{network!r} on {x.dtype} {x.shape}: {error}")

    check()
    return checked, alarms
