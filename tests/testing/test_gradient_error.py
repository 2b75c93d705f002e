"""A GradientError has its facts as attributes, for tables and JSON, and passes between processes."""

import json
import pickle

import numpy as np
import pytest

from functional_nn import layers, testing
from functional_nn.testing import GradientError, check_function, check_vjp


def caught():
    with pytest.raises(GradientError) as error:
        check_function(np.square, lambda x: (x * x, lambda dy: x * dy), np.array([[3.0, -1.0]]))
    return error.value


def test_its_facts_are_attributes():
    error = caught()
    assert (error.verdict, error.place) == ("wrong derivative", f"{error.path}[{error.index[0]}, {error.index[1]}]")
    assert error.claimed == pytest.approx(error.measured / 2.0)
    assert str(error) == f"{error.place}: wrong derivative\n{error.message}"


def test_as_dict_is_json():
    error = caught()
    facts = json.loads(json.dumps(error.as_dict()))
    assert facts.keys() == {"verdict", "path", "index", "measured", "claimed", "step", "message"}
    assert facts["verdict"] == "wrong derivative"
    assert facts["index"] == list(error.index)
    with pytest.raises(GradientError) as whole:
        check_vjp(
            layers.relu.replace(vjp=lambda params, x, *, key=None, wrt_x=True: (x, None)), {}, np.ones((1, 1)) * -1
        )
    assert whole.value.as_dict()["measured"] is not None


def test_it_pickles():
    error = caught()
    again = pickle.loads(pickle.dumps(error))
    assert again.as_dict() == error.as_dict()
    assert str(again) == str(error)


def test_dir_shows_the_public_names_alone():
    assert dir(testing) == sorted(testing.__all__)
    assert all(getattr(testing, name) is not None for name in testing.__all__)
