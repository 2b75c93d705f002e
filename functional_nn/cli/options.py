"""What the commands' parsers share: types of options, a parser that answers in a line, and the file of a network."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from functional_nn.saving import load
from functional_nn.trained import Trained

__all__ = [
    "MOST_SEED",
    "NETWORK_ENDINGS",
    "Parser",
    "above_zero",
    "loaded",
    "named",
    "named_path",
    "not_below_zero",
    "power_of_two",
    "printable",
    "shape",
    "whole",
]

MOST = 1_000_000
MOST_SEED = 2**32 - 1
NETWORK_ENDINGS = (".npz", ".safetensors")


class Parser(argparse.ArgumentParser):
    """A parser that keeps the lines of its examples, takes no abbreviations, and answers an error in a line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Exit with 2."""
        self.exit(2, f"{self.prog.split()[0]}: error: {message} (see {self.prog} --help)\n")


def whole(least: int = 1, most: int = MOST) -> Callable[[str], int]:
    """Return the type of an option that takes a whole number from `least` to `most`."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r:.40}: expected a whole number from {least:,} to {most:,}")
        return int(text)

    return number


def power_of_two(most: int) -> Callable[[str], int]:
    """Return the type of an option that takes 1, 2, 4 and so on, up to `most`."""

    def number(text: str) -> int:
        if text not in (str(2**i) for i in range(most.bit_length())):
            raise argparse.ArgumentTypeError(f"{text!r:.40}: expected a power of two from 1 to {most:,}")
        return int(text)

    return number


def named(text: str) -> str:
    """Return the name of a file or a folder: an empty one would be the working directory."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r}: expected the name of a file or a folder (. is this one)")
    return text


def named_path(text: str) -> Path:
    """Return the path of a file or a folder."""
    return Path(named(text))


def above_zero(text: str) -> float:
    """Return the number of an option that is finite and above 0."""
    return _number(text, "a number above 0", lambda number: number > 0)


def not_below_zero(text: str) -> float:
    """Return the number of an option that is finite and at least 0."""
    return _number(text, "a number that is not negative", lambda number: number >= 0)


def shape(text: str) -> tuple[int, ...]:
    """Return the shape of one input: whole numbers with commas between them."""
    sizes = text.strip("() ").split(",")
    if not all(size.strip().isascii() and size.strip().isdigit() and 0 < int(size) <= MOST for size in sizes):
        expected = "expected whole numbers without the batch axis, such as 32,32,3"
        raise argparse.ArgumentTypeError(f"{text!r:.40}: {expected}")
    return tuple(map(int, sizes))


def loaded(path: Path) -> Trained:
    """Return the trained network in a file. Raises `ValueError` for another content, and as `load` does."""
    try:
        network = load(path)
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file, expected one that functional-nn train wrote") from None
    if not isinstance(network, Trained):
        kind = type(network).__name__
        raise ValueError(f"{path}: holds a {kind}, expected a trained network, as functional-nn train writes it")
    return network


def printable(name: str) -> str:
    """Return a name for a line of text: control characters, such as a line's end, become escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def _number(text: str, expected: str, holds: Callable[[float], bool]) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and holds(number)):
        raise argparse.ArgumentTypeError(f"{text!r:.40}: expected {expected}")
    return number
