"""A state of another transformation is refused by name, and so are arrays that only look like arrays."""

import re

import numpy as np
import pytest

from functional_nn import optim

PARAMS = {"a": {"w": np.ones((2, 2)), "b": np.ones(2)}}
OPTIMIZERS = [
    optim.trace(0.9),
    optim.scale_by_adam(),
    optim.scale_by_rms(),
    optim.scale_by_adagrad(),
    optim.add_decayed_weights(0.1),
    optim.clip_by_global_norm(1.0),
    optim.scale_by_learning_rate(0.1),
    optim.scale_by_learning_rate(optim.cosine(0.1, 9)),
    optim.accumulate(optim.trace(0.9), 2),
    optim.parameter_average(0.9),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_d8_the_state_of_another_transformation_is_refused_by_name(optimizer):
    own = optimizer.init(PARAMS)
    others = [other.init(PARAMS) for other in OPTIMIZERS]
    for state in [*[other for other in others if type(other) is not type(own)], None, (), [], {}, 5]:
        message = (
            f"{optimizer.call.name}: the state is a {type(state).__name__}, expected {type(own).__name__}: pass the"
        )
        with pytest.raises(TypeError, match="^" + re.escape(message)):
            optimizer.update(PARAMS, state, PARAMS)


def test_d8_chains_of_one_length_refuse_each_others_states():
    with pytest.raises(TypeError, match=r"^scale_by_adam: the state is a TraceState, expected AdamState"):
        optim.adam(0.1).update(PARAMS, optim.sgd(0.1, momentum=0.9).init(PARAMS), PARAMS)


class Scaled(np.ndarray):
    """An array whose multiplication means something else, as a matrix's does."""


LOOKALIKES = [np.ones(2).view(Scaled), np.ma.array([1.0, 2.0], mask=[0, 1])]


@pytest.mark.parametrize("optimizer", [optim.sgd(0.1), optim.adam(0.1), optim.adagrad(0.1)], ids=repr)
@pytest.mark.parametrize("array", LOOKALIKES, ids=["subclass", "masked"])
def test_b8_gradients_and_parameters_that_only_look_like_arrays_are_refused(optimizer, array):
    plain = {"a": np.asarray(array)}
    kind = type(array).__name__
    with pytest.raises(TypeError, match=rf"a (is|.*) a {kind}"):
        optimizer.update({"a": array}, optimizer.init(plain), plain)
    with pytest.raises(TypeError, match=rf"a is a {kind}, expected a NumPy array"):
        optim.apply_updates({"a": array}, plain)
    with pytest.raises(TypeError, match=rf"a is an array in one tree and a {kind} in another"):
        optim.apply_updates(plain, {"a": array})


def test_memory_maps_are_parameters(tmp_path):
    w = np.lib.format.open_memmap(tmp_path / "w.npy", "w+", np.float64, (3,))
    w[:] = 1.0
    updates, _ = optim.sgd(0.5).update({"w": w}, optim.sgd(0.5).init({"w": w}), {"w": w})
    new = optim.apply_updates({"w": w}, updates)
    assert type(new["w"]) is np.ndarray
    np.testing.assert_array_equal(new["w"], [0.5, 0.5, 0.5])
