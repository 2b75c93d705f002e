"""Train a network on the pictures in DATA and keep it in the file NET, to classify others with.

DATA is a folder with a folder of pictures for each class; such folders in train, val and test; lists train.txt,
val.txt and test.txt with lines `relative/path.jpg label`; MNIST's IDX files; CIFAR-10's binary files; a file .npz that
--cache wrote; or "digits". Where there is no validation or test split, a tenth of each class is held out for it.

After every epoch the run so far is kept beside NET: after Ctrl-C the same command goes on from there. Training ends
early when the loss on the validation pictures stops falling, and NET gets the epoch where it was lowest. The test
pictures are read once, at the end, for the page beside NET."""

from __future__ import annotations

import argparse

from functional_nn.cli.networks import NETWORKS
from functional_nn.cli.options import (
    MOST_SEED,
    Parser,
    above_zero,
    named,
    named_path,
    not_below_zero,
    power_of_two,
    whole,
)
from functional_nn.cli.run import train
from functional_nn.cli.run_files import RunFiles
from functional_nn.cli.streams import unheeded
from functional_nn.parallel.processes import check_startable

__all__ = ["EXAMPLES", "HELP", "add_options", "run"]

MOST_PROCESSES = 256
HELP = "train a network on your pictures"
EXAMPLES = """\
examples:
  functional-nn train pets --out pets.npz             # pets/cat/*.jpg, pets/dog/*.jpg, ...
  functional-nn train pets --out pets.npz             # again, after Ctrl-C: it goes on
  functional-nn train pets --out big.npz --size 64 --epochs 40
  functional-nn train digits --out digits.npz --model lenet5
  functional-nn train pets --out pets.npz --processes 2
  functional-nn train signs --out signs.npz --no-flip # pictures that mean something else in a mirror

What you do not choose follows from the data: train prints it before it begins.

--processes 2 gives the same network as threads do, sooner: the processes share out the chunks of each batch. On two
cores it takes 10 to 30 % off the time of small_resnet, most where batches are small. The other networks compute a
batch of up to 64 images of 32x32 at once, and nothing is gained, unless you cut it: with --chunk 32, lenet5 takes 30 %
less time for batches of 64 on two processes, and 7 % more on threads. The perceptron gains nothing.

A network depends on --chunk, in its last bits, but not on --processes and --workers: an interrupted run goes on with
other numbers of these. Processes need the extra `processes`, and Linux or macOS."""


def add_options(parser: Parser) -> None:
    """Add the arguments of this command."""
    models = "; ".join(f"{name}: {network.about}" for name, network in NETWORKS.items())
    add = parser.add_argument
    add("data", type=named, metavar="DATA", help='a folder of pictures, or "digits"')
    add("--out", type=named_path, required=True, metavar="NET", help="the file to write, .npz or .safetensors")
    add("--force", action="store_true", help="replace NET where it exists, and an interrupted run of other settings")
    add(
        "--model",
        choices=tuple(NETWORKS),
        metavar="NAME",
        help=f"{models} (default: small_resnet for colour, lenet5 for grey)",
    )
    add("--size", type=whole(4, 1024), default=32, metavar="N", help="scale the pictures to N x N (default: 32)")
    add(
        "--cache",
        type=named_path,
        metavar="FILE.npz",
        help="keep the scaled pictures in this file, to read them faster",
    )
    add(
        "--processes",
        type=power_of_two(MOST_PROCESSES),
        default=1,
        metavar="N",
        help="share out each batch among N processes, 1, 2, 4 and so on (default: 1); see below",
    )
    add("--workers", type=whole(), metavar="N", help="threads of each process (default: one a core in all)")
    _add_settings(parser)


def _add_settings(parser: Parser) -> None:
    add = parser.add_argument_group("settings that follow from the data where you do not choose them").add_argument
    add("--epochs", type=whole(), metavar="N", help="at most so many (default: 10 to 60, fewer for more pictures)")
    add("--batch-size", type=whole(), metavar="N", help="default: 8 to 64, smaller for fewer pictures")
    add(
        "--chunk",
        type=whole(),
        metavar="N",
        help="compute a batch N images at a time (default: by the model's work)",
    )
    add("--learning-rate", type=above_zero, metavar="R", help="Adam's, at its highest (default: the model's)")
    add("--weight-decay", type=not_below_zero, metavar="D", help="decoupled (default: the model's)")
    add(
        "--patience",
        type=whole(0),
        metavar="N",
        help="end after N epochs without a lower validation loss, 0: never (default: a third of the epochs)",
    )
    add("--shift", type=whole(0), metavar="N", help="shift pictures at random by up to N pixels (default: size / 16)")
    add(
        "--flip",
        action=argparse.BooleanOptionalAction,
        help="mirror pictures at random (default: those in colour; grey ones are often signs)",
    )
    add("--seed", type=whole(0, MOST_SEED), default=0, metavar="S", help="of all that is random (default: 0)")


def run(options: argparse.Namespace) -> int:
    """Train, and return 0."""
    files = RunFiles.of(options.out)
    if options.processes > 1:
        check_startable(f"--processes {options.processes}", instead="leave it out, and training runs on threads")
    with unheeded(), files.held(options.data, options.cache):
        train(options, files, goes_on=files.goes_on(force=options.force))
    return 0
