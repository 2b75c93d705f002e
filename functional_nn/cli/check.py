"""Compare a layer's pullback with finite differences at points that are drawn for it, and say what is wrong with it."""

from __future__ import annotations

import argparse
import math

from functional_nn.cli.options import MOST_SEED, Parser, shape, whole
from functional_nn.cli.target import OwnCodeError, layer_of
from functional_nn.errors import LayerError

__all__ = ["EXAMPLES", "HELP", "add_options", "run"]

MOST_NUMBERS = 1_000_000  # in one input; more take minutes
HELP = "is a layer's gradient right?"
EXAMPLES = """\
examples:
  functional-nn check my_layers.py:scale --input-shape 8,8,3
  functional-nn check "my_layers.py:scale(2.0)" --input-shape 5     # arguments are literals
  functional-nn check functional_nn.layers:conv2d(4,3) --input-shape 8,8,3

LAYER is a layer, or a function that returns one. The exit code is 1 where the gradient is wrong."""


def add_options(parser: Parser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("layer", metavar="MODULE:LAYER", help="a module or a file.py, and a name in it")
    parser.add_argument("--input-shape", type=shape, required=True, metavar="H,W,C", help="of one input")
    parser.add_argument("--seed", type=whole(0, MOST_SEED), default=0, metavar="S", help="of what is drawn")
    parser.add_argument("--verbose", action="store_true", help="print each point and what was found there")


def run(options: argparse.Namespace) -> int:
    """Check, and return 1 where the gradient is wrong, else 0."""
    from functional_nn.testing import GradientError, check_layer

    if (numbers := math.prod(options.input_shape)) > MOST_NUMBERS:
        most = f"expected {MOST_NUMBERS:,} at most: a small input tells as much and sooner"
        raise ValueError(f"--input-shape: one input has {numbers:,} numbers, {most}")
    layer = layer_of(options.layer)
    try:
        check_layer(layer, options.input_shape, seed=options.seed, verbose=options.verbose)
    except GradientError as error:
        print(error)
        return 1
    except (LayerError, ImportError):
        raise
    except (Exception, SystemExit) as error:
        raise OwnCodeError(f"{layer!r} raised an error") from error
    inputs = ", ".join(map(str, ("n", *options.input_shape)))
    print(f"{layer!r}: no wrong gradient was found, for inputs ({inputs}) and others that fit")
    return 0
