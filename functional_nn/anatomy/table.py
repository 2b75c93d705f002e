"""Tables of text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["table"]

GAP = 2  # spaces between columns


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], totals: Sequence[Sequence[str]] = (), left: int = 1
) -> str:
    """Return a table whose first `left` columns are set flush left, and the others flush right."""
    lines = [head, *rows, *totals]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    rule = "-" * (sum(widths) + GAP * (len(widths) - 1))
    texts = [_line(line, widths, left) for line in lines]
    texts[1:1] = [rule]
    if totals:
        texts[-len(totals) : -len(totals)] = [rule]
    return "\n".join(texts)


def _line(cells: Sequence[str], widths: Sequence[int], left: int) -> str:
    aligned = [
        cell.ljust(width) if i < left else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return (" " * GAP).join(aligned).rstrip()
