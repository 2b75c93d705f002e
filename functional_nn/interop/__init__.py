"""The library among its users' tools: scikit-learn, PyTorch and ONNX, a file each, each behind an extra."""
