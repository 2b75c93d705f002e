"""The names of classes in a file classes.txt."""

from __future__ import annotations

import re
from pathlib import Path

from functional_nn.errors import DataError
from functional_nn.files import text_lines

__all__ = ["class_names"]

EXPECTED = "expected `label`, tab, `name` in each line, or a name alone in each line"


def class_names(file: Path) -> tuple[str, ...]:
    """Return the names of the classes 0, 1, ..., which a text file lists.

    Either each line is a name, in the order of the labels; or each line is a label and a name with a tab between
    them. More columns may stand between these two.
    Raises `DataError`, which names the file and the line, for a file that mixes the two, for a label that is missing
    or that two lines have, for an empty name, and for a name that two classes have.
    """
    lines = text_lines(file)
    if not lines:
        raise DataError(f"{file}: the file is empty, {EXPECTED}")
    table = "\t" in lines[0].strip()
    names: dict[int, str] = {}
    for number, line in enumerate(lines, 1):
        columns = [column.strip() for column in line.strip().split("\t")]
        if (len(columns) > 1) != table or not columns[-1] or (not table and re.match(r"\d+ +\S", columns[0])):
            raise DataError(f"{file}:{number}: {line.strip()!r:.80}, {EXPECTED}")
        label = _label(file, number, columns[0], len(lines)) if table else number - 1
        if label in names:
            raise DataError(f"{file}:{number}: label {label} a second time, expected one line for each label")
        if columns[-1] in names.values():
            raise DataError(f"{file}:{number}: name {columns[-1]!r} a second time, expected a name of its own")
        names[label] = columns[-1]
    return tuple(names[label] for label in range(len(lines)))


def _label(file: Path, number: int, text: str, n: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) < n):
        raise DataError(
            f"{file}:{number}: label {text!r:.40}, expected an integer from 0 to {n - 1}, since the file has {n} lines"
        )
    return int(text)
