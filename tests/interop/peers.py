"""The other libraries of the interop tests: imported where they are installed, and required by .ci/run's peers."""

import os

import pytest

try:
    import torch
except ImportError:
    if os.environ.get("REQUIRE_TORCH"):  # set by .ci/run, which must not pass where these tests are skipped
        raise
    torch = None
else:
    torch.set_num_threads(1)

try:
    import onnx.reference
    import onnxruntime
except ImportError:
    if os.environ.get("REQUIRE_ONNX"):
        raise
    onnx = onnxruntime = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed: pip install -e '.[oracles]'")
needs_onnx = pytest.mark.skipif(onnxruntime is None, reason="ONNX is not installed: pip install -e '.[oracles]'")
