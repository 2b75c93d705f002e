"""The paths of `tie`: which parameters they name, and which of them may be tied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import numpy as np

from functional_nn.layer import Layer, LayerError, StructureError, Tie

Path = tuple[str, ...]
Parameters = dict[Path, np.ndarray | Tie | None]


def dotted(path: Path) -> str:
    """Return a path as it is written."""
    return ".".join(path)


def text_of(pair: Tie) -> str:
    """Return the tie's source as it is written."""
    return dotted(pair.source) + (".T" if pair.transposed else "")


@contextmanager
def named(model: Layer) -> Iterator[None]:
    """Put the model's name in front of errors that are raised within the block."""
    try:
        yield
    except LayerError as error:
        error.leave(layer=model.name)
        raise


def parameters_below(model: Layer) -> Parameters:
    """Return every parameter below a layer by its path: its array where it is bound, its tie where it is tied."""
    if not model.parts:
        return {**{(name,): None for name in model.parameters}, **{(name,): p for name, p in model.fixed.items()}}
    found: Parameters = {}
    for name, part in model.parts:
        for path, state in parameters_below(part).items():
            if isinstance(state, Tie):
                state = Tie((name, *state.target), (name, *state.source), state.transposed)
            found[name, *path] = state
    return found | {pair.target: pair for pair in model.ties}


def ties_from(model: Layer, texts: Mapping[str, str]) -> tuple[Tie, ...]:
    """Return the ties of single parameters, in an order that does not depend on that of the dict."""
    known = parameters_below(model)
    parts = {path[:end] for path in known for end in range(1, len(path))}
    ties: list[Tie] = []
    for target_text, source_text in texts.items():
        target, source = tuple(target_text.split(".")), tuple(source_text.split("."))
        transposed = source[-1] == "T" and source not in known and source not in parts
        source = source[:-1] if transposed else source
        for path in (target, source):
            if path not in known and path not in parts:
                raise _unknown(path, known, parts)
        if target in known and source in known:
            ties.append(Tie(target, source, transposed))
        elif target in parts and source in parts and not transposed:
            ties += _ties_of_parts(target, source, known)
        else:
            expected = "expected two parameters, or two parts without .T"
            raise StructureError(f"tie: cannot use {source_text}; {expected}", target)
    return tuple(sorted(ties))


def check_ties(model: Layer, ties: tuple[Tie, ...]) -> None:
    """Raise `StructureError` unless the targets are free, each tied once, and no source is itself tied."""
    known = parameters_below(model)
    targets: dict[Path, Tie] = {}
    for pair in ties:
        for path in (pair.target, pair.source):
            if path not in known:
                raise _unknown(path, known, set())
        state = targets.get(pair.target, known[pair.target])
        if isinstance(state, Tie):
            raise StructureError(f"tie: tied to {text_of(state)} already", pair.target)
        if state is not None:
            raise StructureError(f"tie: bound already; to use {text_of(pair)}, bind that alone", pair.target)
        targets[pair.target] = pair
    for pair in ties:
        state = targets.get(pair.source, known[pair.source])
        if isinstance(state, Tie):
            use = "it uses itself" if state is pair else f"use {text_of(state)}"
            raise StructureError(f"tie: {dotted(pair.source)} is itself tied: {use}", pair.target)


def _ties_of_parts(target: Path, source: Path, known: Parameters) -> list[Tie]:
    """Return the ties of all that either part has to train: what both have bound or tied stays as it is."""
    below = {path: _below(path, known) for path in (target, source)}
    paths = [path for states in below.values() for path, state in states.items() if state is None]
    for part, states in below.items():
        lacking = [path for path in paths if path not in states]
        if lacking:
            message = f"tie: {dotted(target)} and {dotted(source)} need the same parameters; not there"
            raise StructureError(message, (*part, *lacking[0]))
    return [Tie((*target, *path), (*source, *path), False) for path in dict.fromkeys(paths)]


def _below(part: Path, known: Parameters) -> dict[Path, Any]:
    return {path[len(part) :]: state for path, state in known.items() if path[: len(part)] == part}


def _unknown(path: Path, known: Parameters, parts: set[Path]) -> StructureError:
    names = [dotted(name) for name in (*known, *sorted(parts))]
    nearest = get_close_matches(dotted(path), names, n=3, cutoff=0.0)
    return StructureError(
        f"tie: no such parameter, nor a part that has any; the nearest are {', '.join(nearest) or 'none'}", path
    )
