"""Say how often a network is right on the images of DATA, class by class, and what it takes for what."""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np

from functional_nn.cli.options import Parser, loaded, named, named_path
from functional_nn.cli.scores import scores_of
from functional_nn.cli.seen import seen_among
from functional_nn.cli.source import every_image, splits_of
from functional_nn.data import Splits
from functional_nn.data.image_file import grey_levels
from functional_nn.data.splits import NAMES, Split, TooFewError
from functional_nn.trained import Trained

__all__ = ["EXAMPLES", "HELP", "add_options", "run"]

ALL = "all"
HELP = "accuracy with its interval, recall by class, confusions"
EXAMPLES = """\
examples:
  functional-nn evaluate pets.npz pets                  # the test images, held out as train does it
  functional-nn evaluate pets.npz pets --split val
  functional-nn evaluate pets.npz new-pets --split all  # every image of a folder that train has not seen
  functional-nn evaluate pets.npz pets --json           # for other programs

DATA is as for train; its classes must have the names that the network knows. With --split all a class may have any
number of images, or be one alone. Where pictures were added since, the test images are others than before: a warning
says how many of them the network was trained on."""


def add_options(parser: Parser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("net", type=named_path, metavar="NET", help="a file that train wrote")
    parser.add_argument("data", type=named, metavar="DATA", help='a folder of images as for train, or "digits"')
    parser.add_argument("--split", choices=(*NAMES, ALL), default="test", help="default: %(default)s")
    parser.add_argument("--cache", type=named_path, metavar="FILE.npz", help="keep the decoded images in this file")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(options: argparse.Namespace) -> int:
    """Evaluate, and return 0."""
    network = loaded(options.net)
    (images, labels), splits = _loaded(options, network.input_shape[0])
    if not len(images):
        raise ValueError(f"{options.data}: there are no {options.split} images: choose another --split")
    if (images.shape[-1], network.input_shape[-1]) == (3, 1):
        images = grey_levels(images)  # as classify does
    if images.shape[1:] != network.input_shape:
        shapes = f"{options.data} has images of shape {images.shape[1:]}, {options.net} takes {network.input_shape}"
        raise ValueError(f"{shapes}: give data of the kind that it was trained on")
    labels = _renumbered(options, network, splits)[labels]
    scores = scores_of(network, labels, network.predict(images))
    seen = seen_among(images, network.about)
    if options.json:
        given = {"net": str(options.net), "data": options.data, "split": options.split, "seen_in_training": seen}
        print(json.dumps(given | scores.plain()))
    else:
        which = "all images" if options.split == ALL else f"the {options.split} images"
        print(f"{options.net} on {which} of {splits.description}\n{scores}\n\n{scores.tables()}")
    _warn(options, seen, len(images))
    return 0


def _loaded(options: argparse.Namespace, size: int) -> tuple[Split, Splits]:
    """Return the images and labels that are to be evaluated, and the splits that they are in."""
    if options.split == ALL:
        return every_image(options.data, size, options.cache)
    try:
        splits = splits_of(options.data, size, options.cache)
    except TooFewError as error:
        raise TooFewError(f"{error}: to evaluate all of its images give --split all") from error
    return getattr(splits, options.split), splits


def _warn(options: argparse.Namespace, seen: int | None, n: int) -> None:
    """Say where the images flatter the network, or that its file does not tell."""
    if options.split in ("train", "val"):  # known to be seen
        return
    if seen == 0:
        return
    if seen is None:
        warning = f"{options.net} does not keep which images it was trained on: some of these may be among them"
    else:
        were = f"{seen:,} of these {n:,} images were training or validation images"
        warning = f"{were} of {options.net}: it is worse on new ones"
    print(end="", flush=True)  # before the warning
    print(f"functional-nn: warning: {warning}", file=sys.stderr)


def _renumbered(options: argparse.Namespace, network: Trained, splits: Splits) -> np.ndarray:
    """Return the network's number of each class of the data. Raise `ValueError` unless the names are the same."""
    known, found = set(network.classes), set(splits.classes)
    missing = set() if options.split == ALL else known - found
    if missing or found - known or len(splits.classes) != len(found):
        lacking, unknown = (", ".join(sorted(names)[:5]) or "none" for names in (missing, found - known))
        raise ValueError(
            f"{options.data}: its classes are not those of {options.net}: missing {lacking}; unknown {unknown}: "
            "give the folders or the lines of classes.txt the same names"
        )
    return np.array([network.classes.index(name) for name in splits.classes])
