"""ONNX files run by two others: onnxruntime and onnx's own reference evaluator."""

import numpy as np

from functional_nn.interop.onnx import export
from tests.interop.peers import onnx, onnxruntime


def outputs(path, x, name="x"):
    """The outputs of both, by their names."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    reference = onnx.reference.ReferenceEvaluator(str(path))
    with np.errstate(over="ignore", invalid="ignore"):  # the reference computes what it does not choose
        return {"onnxruntime": session.run(["y"], {name: x})[0], "reference": reference.run(["y"], {name: x})[0]}


def assert_equal_outputs(path, x, expected, name="x"):
    """Both give the expected outputs to 1e-5 of the batch's scale, for the batch and for its first example alone."""
    scale = float(np.abs(expected).max(initial=0.0)) or 1.0
    for n in (len(x), 1):
        for runner, y in outputs(path, x[:n], name).items():
            assert (y.dtype, y.shape) == (np.float32, expected[:n].shape), runner
            assert np.abs(y - expected[:n]).max(initial=0.0) < 1e-5 * scale, runner


def assert_exported(path, model, params, x, **options):
    """The file of a model gives the model's outputs."""
    export(path, model, params, x.shape[1:], **options)
    assert_equal_outputs(path, x, model.apply(params, x))
