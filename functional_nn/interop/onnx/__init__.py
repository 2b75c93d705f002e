"""Models to ONNX files (the extra `onnx`).

    from functional_nn.interop.onnx import export

    export("lenet5.onnx", model, params, (32, 32, 1))  # input x: float32 (n, 32, 32, 1), output y
    export("lenet5.onnx", trained)                     # input images: uint8, the transform is in the file

A layer or a transform of your own needs an exporter: a function of the `Graph` and of the layer's `Place` in it.
"""

from functional_nn.interop.onnx.files import export
from functional_nn.interop.onnx.graph import Graph, Place

__all__ = ["Graph", "Place", "export"]
