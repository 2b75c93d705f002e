"""The command `functional-nn`: train a network on pictures, keep it, classify files, and check a layer's gradient.

`main(["classify", "pets.npz", "cat.jpg"])` runs it and returns its exit code: 0 fine; 1 where what was asked about is
wrong, such as files that are no images or a wrong gradient; 2 for input that cannot be used; 130 after Ctrl-C.
"""

from functional_nn.cli.command import main

__all__ = ["main"]
