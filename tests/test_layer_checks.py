"""What every layer checks, whoever wrote it: kinds of arrays, the parameters' tree, and their path in an error."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, losses, optim, tree
from functional_nn.layer import ShapeError, StructureError
from tests.refusals import no_array, refused

X, LABELS = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32), np.arange(6) % 2
INNER = fnn.serial(f=layers.dense(4), n=layers.batch_norm())
MODEL = fnn.serial(body=fnn.residual(INNER, layers.dense(4)), out=layers.dense(2))
PARAMS = MODEL.init(np.random.default_rng(1), (3,))
LOSS = losses.softmax_cross_entropy
FIT = {"loss": LOSS, "optimizer": optim.sgd(0.1), "epochs": 1, "batch_size": 3, "seed": 0, "progress": False}
NO_ARRAYS = {
    "matrix": lambda array: array.view(np.matrix),
    "MaskedArray": np.ma.array,
    "recarray": lambda array: array.view(np.recarray),
    "list": np.ndarray.tolist,
    "tuple": lambda array: tuple(array.tolist()),
    "NoneType": lambda array: None,
    "float": lambda array: 0.0,
    "float32": lambda array: np.float32(0.0),
}
USES = {
    "apply": lambda params: MODEL.apply(params, X),
    "vjp": lambda params: MODEL.vjp(params, X),
    "predict": lambda params: fnn.predict(MODEL, params, X),
    "evaluate": lambda params: fnn.evaluate(MODEL, params, X, LABELS, loss=LOSS),
    "statistics": lambda params: fnn.statistics(MODEL, params, X),
    "value_and_grad": lambda params: fnn.value_and_grad(MODEL, LOSS)(params, X, LABELS),
    "data_parallel": lambda params: fnn.data_parallel(fnn.value_and_grad(MODEL, LOSS))(params, X, LABELS),
    "fit": lambda params: fnn.fit(MODEL, params, (X, LABELS), **FIT),
}


def changed(params, path, value):
    """Params with the entry at this path replaced."""
    return value if not path else {**params, path[0]: changed(params[path[0]], path[1:], value)}


@pytest.mark.parametrize("kind", NO_ARRAYS)
def test_what_is_no_plain_array_is_refused_by_its_kind(kind):
    layer, make = layers.dense(2), NO_ARRAYS[kind]
    params = layer.init(np.random.default_rng(0), (3,))
    for run in (layer.apply, layer.vjp):
        with refused(StructureError, f"dense: x is {no_array(make(X))}"):
            run(params, make(X))
        for entry in params:
            with refused(StructureError, f"dense.{entry}: is {no_array(make(X))}"):
                run({**params, entry: make(params[entry])}, X)
    _, pullback = layer.vjp(params, X)
    with refused(StructureError, f"dense: dy is {no_array(make(X))}"):
        pullback(make(np.ones((6, 2), np.float32)))


def test_memory_maps_are_arrays(tmp_path):
    def mapped(name, array):
        file = np.memmap(tmp_path / name, array.dtype, "w+", shape=array.shape)
        file[...] = array
        return file

    layer = layers.dense(2)
    params, dy = layer.init(np.random.default_rng(0), (3,)), np.ones((6, 2), np.float32)
    maps = {name: mapped(name, entry) for name, entry in params.items()}
    y, pullback = layer.vjp(maps, mapped("x", X))
    expected, expected_pullback = layer.vjp(params, X)
    np.testing.assert_array_equal(y, expected)
    tree.map(np.testing.assert_array_equal, pullback(mapped("dy", dy)), expected_pullback(dy))
    np.testing.assert_array_equal(layer.apply(maps, mapped("x", X)), expected)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("bad", [None, fnn.FitResult(PARAMS, (), []), [], 0.0, X], ids=lambda bad: type(bad).__name__)
def test_parameters_that_are_no_dict_are_refused_by_path(use, bad):
    remedy = ": give its .params" if isinstance(bad, fnn.FitResult) else ""
    text = f"the parameters are a {type(bad).__name__}, expected a dict as init returns it{remedy}"
    for path in ((), ("body",), ("body", "body", "f"), ("body", "body", "n"), ("out",)):
        if use == "fit" and not path:
            continue  # fit looks at its params before the model does
        with refused(StructureError, f"{'.'.join(('serial', *path))}: {text}"):
            USES[use](changed(with_statistics(use), path, bad))


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("bad", [None, 0.0, [1.0], np.float32(1.0), {}], ids=lambda bad: type(bad).__name__)
def test_parameters_that_are_no_array_are_refused_by_path(use, bad):
    for path in (("body", "body", "f", "w"), ("body", "body", "n", "b"), ("out", "b")):
        with refused(StructureError, f"serial.{'.'.join(path)}: is {no_array(bad)}"):
            USES[use](changed(with_statistics(use), path, bad))


def with_statistics(use):
    """The parameters that this use takes, so that what is bad is all that is wrong."""
    return fnn.statistics(MODEL, PARAMS, X) if use in ("apply", "predict", "evaluate") else PARAMS


@pytest.mark.parametrize("use", USES)
def test_the_parameters_are_right_but_for_what_the_tests_above_change(use):
    USES[use](with_statistics(use))


def test_any_mapping_holds_parameters():
    known = with_statistics("apply")
    mapping = MappingProxyType({**known, "out": MappingProxyType(known["out"])})
    np.testing.assert_array_equal(MODEL.apply(mapping, X), MODEL.apply(known, X))


def test_a_layer_of_ones_own_is_checked_too():
    def vjp(params, x, *, key=None, wrt_x=True):
        return x * params["scale"], lambda dy: ({"scale": (dy * x).sum(axis=0)}, dy * params["scale"])

    def init(rng, input_shape):
        return {"scale": np.ones(input_shape, np.float32)}

    layer = fnn.Layer("scaling", init=init, vjp=vjp, parameters=("scale",))
    params = layer.init(np.random.default_rng(0), (3,))
    for run in (layer.apply, layer.vjp):
        with refused(StructureError, "scaling.scale: missing from the parameters; expected scale"):
            run({}, X)
        with refused(StructureError, "scaling.w: unknown to the layer; expected scale"):
            run({**params, "w": params["scale"]}, X)
        with refused(
            StructureError, "scaling.scale: x is float64, the parameter is float32; convert one: nothing is promoted"
        ):
            run(params, X.astype(np.float64))
    with refused(ShapeError, "scaling: dy has shape (3, 6), the output has (6, 3)"):
        layer.vjp(params, X)[1](X.T)
