"""Say which class the network sees in each of the files, and how probable it is."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from functional_nn.anatomy.table import table
from functional_nn.cli.options import Parser, loaded, named_path, printable, whole
from functional_nn.cli.scores import shortened
from functional_nn.data.image_file import EXTENSIONS
from functional_nn.errors import BadFilesError, DataError, MissingFileError
from functional_nn.trained import Answer

__all__ = ["EXAMPLES", "HELP", "add_options", "run"]

HELP = "what is in these pictures?"
EXAMPLES = """\
examples:
  functional-nn classify pets.npz holiday.jpg garden.png
  functional-nn classify pets.npz new-pictures --top 3     # all images of a folder
  functional-nn classify pets.npz *.jpg --json > answers.json

Files that are no images are named at the end; the others are classified, and the exit code is then 1."""


def add_options(parser: Parser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("net", type=named_path, metavar="NET", help="a file that train wrote")
    parser.add_argument("files", nargs="+", type=named_path, metavar="FILE", help="an image, or a folder of images")
    parser.add_argument("--top", type=whole(), default=1, metavar="K", help="how many classes (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON: a list with an entry for each file")


def run(options: argparse.Namespace) -> int:
    """Classify, and return 1 if some files are no images, else 0."""
    network = loaded(options.net)
    paths = [str(path) for given in options.files for path in _images(given)]
    results: list[Answer | None]
    errors: dict[str, DataError] = {}
    try:
        results = [*network.classify(paths, options.top)]
    except BadFilesError as bad:
        results, errors = bad.results, bad.errors
    if options.json:
        print(json.dumps([_entry(*pair, errors) for pair in zip(paths, results, strict=True)], indent=1))
    else:
        _print_table(paths, results, shortened(network.classes))
    print(end="", flush=True)  # before the errors
    for error in errors.values():
        print(f"functional-nn: {printable(str(error))}", file=sys.stderr)
    if errors:
        print(f"functional-nn: {len(errors)} of {len(paths)} files cannot be used", file=sys.stderr)
    return 1 if errors else 0


def _images(path: Path) -> Iterator[Path]:
    """Yield a file itself, or the images of a folder in the order of their names."""
    if not path.is_dir():
        yield path
        return
    images = sorted(
        file for file in path.iterdir() if file.suffix.lower() in EXTENSIONS and not file.name.startswith(".")
    )
    if not images:
        raise MissingFileError(f"{path}: no images in this folder, expected files that end in {' '.join(EXTENSIONS)}")
    yield from images


def _print_table(paths: list[str], results: list[Answer | None], short: dict[str, str]) -> None:
    rows = [
        ["" if rank else printable(path), short[name], f"{probability:.3f}"]
        for path, answer in zip(paths, results, strict=True)
        for rank, (name, probability) in enumerate(answer or ())
    ]
    if rows:
        print(table(("file", "class", "probability"), rows, left=2))


def _entry(path: str, answer: Answer | None, errors: dict[str, DataError]) -> dict[str, Any]:
    if answer is None:
        return {"file": path, "error": str(errors[path])}
    return {"file": path, "classes": [{"class": name, "probability": p} for name, p in answer]}
