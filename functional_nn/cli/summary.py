"""Print a table of a network's layers: their shapes, parameters and work, and what a training pass keeps."""

from __future__ import annotations

import argparse
from pathlib import Path

from functional_nn import anatomy
from functional_nn.cli.networks import NETWORKS
from functional_nn.cli.options import NETWORK_ENDINGS, Parser, loaded, named, shape, whole
from functional_nn.cli.target import layer_of
from functional_nn.layer import Layer, Shape

__all__ = ["EXAMPLES", "HELP", "add_options", "run"]

HELP = "a network's layers"
CLASSES = 10
EXAMPLES = """\
examples:
  functional-nn summary pets.npz
  functional-nn summary small_resnet --classes 50 --depth 1
  functional-nn summary lenet5 --input-shape 28,28,1
  functional-nn summary my_models.py:encoder --input-shape 64"""


def add_options(parser: Parser) -> None:
    """Add the arguments of this command."""
    names = ", ".join(NETWORKS)
    parser.add_argument(
        "net", type=named, metavar="NET", help=f"a file that train wrote; {names}; or MODULE:LAYER as for check"
    )
    parser.add_argument(
        "--input-shape", type=shape, metavar="H,W,C", help="of one input (default: 32,32,3, or the file's)"
    )
    parser.add_argument("--classes", type=whole(), metavar="N", help=f"of a network by name (default: {CLASSES})")
    parser.add_argument("--depth", type=whole(), metavar="N", help="a row for each part that is so deep at most")
    parser.add_argument("--filter", metavar="PATTERN", help="only the rows with such a path: 'block1.*'")


def run(options: argparse.Namespace) -> int:
    """Print the table, and return 0."""
    model, input_shape = _model(options)
    anatomy.summary(model, input_shape, options.depth, options.filter)
    return 0


def _model(options: argparse.Namespace) -> tuple[Layer, Shape]:
    name = options.net
    if options.classes is not None and name not in NETWORKS:
        raise ValueError(f"--classes is for {', '.join(NETWORKS)}: {name} has classes of its own")
    if name in NETWORKS:
        usual = (32, 32, 1) if name == "lenet5_1998" else (32, 32, 3)
        return NETWORKS[name].made(options.classes or CLASSES), options.input_shape or usual
    if name.lower().endswith(NETWORK_ENDINGS):
        network = loaded(Path(name))
        print(network)
        return network.model, options.input_shape or network.input_shape
    if ":" in name:
        if options.input_shape is None:
            raise ValueError(f"{name}: give --input-shape, that of one input, such as 32,32,3")
        return layer_of(name), options.input_shape
    raise ValueError(f"{name}: expected a file that train wrote, one of {', '.join(NETWORKS)}, or MODULE:LAYER")
