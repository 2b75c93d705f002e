"""The paths of `tie`: what it refuses by name, the errors of tied models, and a parameter that is called T."""

from __future__ import annotations

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers
from functional_nn.testing import check_vjp
from tests.compose.test_compose import float64
from tests.compose.test_tie import AUTOENCODER, RNG, TIED


def test_errors_keep_the_models_path():
    params = TIED.init(RNG, (5,))
    with pytest.raises(ValueError, match=r"^serial\.encoder: x has 4 features"):
        TIED.apply(params, np.zeros((1, 4), np.float32))
    with pytest.raises(TypeError, match=r"^serial\.decoder\.b: missing"):
        TIED.apply({"encoder": params["encoder"], "decoder": {}}, np.zeros((1, 5), np.float32))
    with pytest.raises(TypeError, match=r"^serial\.encoder\.w: missing from the parameters; decoder\.w uses it$"):
        TIED.vjp({**params, "encoder": {"b": params["encoder"]["b"]}}, np.zeros((1, 5), np.float32))
    surplus = {**params, "decoder": {**params["decoder"], "w": params["encoder"]["w"].T}}
    with pytest.raises(TypeError, match=r"^serial\.decoder\.w: tied to encoder\.w\.T: leave it out of the parameters$"):
        TIED.apply(surplus, np.zeros((1, 5), np.float32))
    with pytest.raises(TypeError, match=r"^serial\.decoder: the parameters are a list, expected a dict"):
        TIED.apply({**params, "decoder": []}, np.zeros((1, 5), np.float32))


@pytest.mark.parametrize(
    ("ties", "message"),
    [
        ({"decodr.w": "encoder.w"}, r"serial\.decodr\.w: tie: no such .*nearest are decoder\.w"),
        ({"decoder.w": "encoder.v"}, r"serial\.encoder\.v: tie: no such .*nearest are encoder\.w"),
        ({"decoder.w": "encoder.w.b"}, r"serial\.encoder\.w\.b: tie: no such"),
        ({"decoder": "a"}, r"serial\.a: tie: no such parameter, nor a part that has any"),
        ({"decoder.w": "decoder.w"}, r"serial\.decoder\.w: tie: decoder\.w is itself tied: it uses itself"),
        ({"decoder.w": "encoder.w.T", "encoder.w": "decoder.w.T"}, r"is itself tied: use"),
        ({"decoder": "encoder", "decoder.w": "encoder.w.T"}, r"serial\.decoder\.w: tie: tied to encoder\.w.* already"),
        ({"decoder": "encoder.w"}, r"serial\.decoder: tie: cannot use encoder\.w; expected two parameters, or"),
        ({"decoder": "encoder.T"}, r"serial\.decoder: tie: cannot use encoder\.T"),
    ],
)  # fmt: skip
def test_ties_that_cannot_be_are_refused_by_path(ties, message):
    with pytest.raises(TypeError, match=f"^{message}" if message.startswith("serial") else message):
        fnn.tie(AUTOENCODER, ties)


def test_parts_of_other_parameters_are_refused():
    model = fnn.serial(f=layers.dense(2), e=fnn.serial(f=layers.dense(2)), n=layers.embedding(2, 2))
    with pytest.raises(TypeError, match=r"serial\.e\.w: tie: e and f need the same parameters; not there"):
        fnn.tie(model, {"e": "f"})
    with pytest.raises(TypeError, match=r"serial\.n\.b: tie: n and f need the same parameters; not there"):
        fnn.tie(model, {"n": "f"})


def test_a_source_that_is_tied_already_and_a_target_that_is_tied_or_bound_are_refused():
    with pytest.raises(TypeError, match=r"serial\.encoder\.w: tie: decoder\.w is itself tied: use encoder\.w\.T"):
        fnn.tie(TIED, {"encoder.w": "decoder.w"})
    with pytest.raises(TypeError, match=r"serial\.decoder\.w: tie: tied to encoder\.w\.T already"):
        fnn.tie(TIED, {"decoder.w": "encoder.w.T"})
    w = np.zeros((2, 5), np.float32)
    bound = fnn.bind(AUTOENCODER, {"decoder": {"w": w}})
    message = r"^serial\.decoder\.w: tie: bound already; to use encoder\.w\.T, bind that alone$"
    with pytest.raises(TypeError, match=message):
        fnn.tie(bound, {"decoder.w": "encoder.w.T"})
    with pytest.raises(TypeError, match=message):
        fnn.bind(TIED, {"decoder": {"w": w}})


def test_shapes_that_do_not_fit_are_refused_by_init_with_both():
    straight = fnn.tie(AUTOENCODER, {"decoder.w": "encoder.w"})
    with pytest.raises(ValueError, match=r"^serial\.decoder\.w: needs shape \(2, 5\), encoder\.w has \(5, 2\)$"):
        straight.init(RNG, (5,))
    with pytest.raises(
        ValueError, match=r"^serial\.encoder\.b: has shape \(2,\) and no transpose, which decoder\.b uses"
    ):
        fnn.tie(AUTOENCODER, {"decoder.b": "encoder.b.T"}).init(RNG, (5,))


def test_a_parameter_that_is_called_t_is_not_a_transpose():
    def init(rng, input_shape):
        return {"T": np.ones(input_shape, np.float32)}

    def vjp(params, x, *, key=None, wrt_x=True):
        return x * params["T"], lambda dy: ({"T": (x * dy).sum(axis=0)}, dy * params["T"] if wrt_x else None)

    scale = fnn.Layer("scale", init=init, vjp=vjp, parameters=("T",))
    tied = fnn.tie(fnn.serial(one=scale, two=scale), {"two.T": "one.T"})
    check_vjp(tied, float64(tied.init(RNG, (2,))), RNG.standard_normal((3, 2)))


@pytest.mark.parametrize("model", [layers.dense(2), layers.dense, None])
def test_what_has_no_parts_is_refused(model):
    with pytest.raises(TypeError, match=r"^tie: model is .*expected a layer with parts"):
        fnn.tie(model, {"w": "b"})


@pytest.mark.parametrize("ties", [["decoder.w"], {"decoder.w": 1}, None, "decoder.w"])
def test_what_is_no_dict_of_paths_is_refused(ties):
    with pytest.raises(TypeError, match=r"^tie: ties is .*expected a dict of paths"):
        fnn.tie(AUTOENCODER, ties)
