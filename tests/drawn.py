"""Whether a table of cases draws all that a constructor takes: what it never draws, no test of the table tests."""

import inspect
from collections import defaultdict

from hypothesis import HealthCheck, given, settings

INITIALIZERS = {"w_init", "b_init"}  # they choose the first parameters, and are no part of the arithmetic


def arguments_of(constructor):
    """Return the names of the arguments that a constructor's arithmetic depends on."""
    parameters = inspect.signature(constructor).parameters.values()
    return [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL and p.name not in INITIALIZERS]


def values_of(arguments, examples=100):
    """Return the values {name: set} that are drawn by a strategy of dicts of arguments, the same in every run."""
    values = defaultdict(set)

    @settings(
        max_examples=examples, derandomize=True, database=None, suppress_health_check=list(HealthCheck), deadline=None
    )
    @given(arguments)
    def draw(drawn):
        for name, value in drawn.items():
            values[name].add(repr(value))

    draw()
    return values
