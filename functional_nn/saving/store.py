"""`save` and `load`: a value to a file and back, bit for bit."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from functional_nn.files import open_regular, replaced
from functional_nn.saving import document
from functional_nn.saving.containers import CONTAINERS, Container
from functional_nn.saving.decode import Decoder
from functional_nn.saving.document import Document
from functional_nn.saving.encode import Encoder
from functional_nn.saving.names import Known

__all__ = ["Stored", "container_of", "load", "save", "save_with_extra", "stored"]


def save(path: str | Path, value: Any) -> None:
    """Write a value to a file that ends in .npz or .safetensors; `load` returns it, with the same bits.

    `value` is a tree of arrays and numbers (dicts, lists, tuples, named tuples, None, strings), a `FitResult`, a
    `Trained`, or any value that a constructor made: layers, losses, optimizers, schedules, transforms. Such values may
    stand in a tree too: `{"model": model, "params": params}`. A value is stored as its constructor's call; what you
    wrote yourself must be passed to `load`. Arrays may be of bool, ints, floats and complex numbers of any byte order;
    they come back in the machine's, in row-major order. .safetensors needs the extra of that name.

    The file is written under another name, flushed to the disk, and renamed: it is whole, or the old one is. Missing
    folders are not made. Raises `TypeError`, which names the place, for what cannot be saved (a `Layer(...)` that no
    constructor made, an object); `ValueError` for another ending, or a directory or pipe at `path`; `OSError`, which
    names the file, if it cannot be written.

    >>> model = layers.dense(2)
    >>> fnn.save("model.npz", {"model": model, "params": model.init(np.random.default_rng(0), (3,))})
    >>> fnn.load("model.npz")["model"]
    dense(2)
    """
    save_with_extra(path, value, None)


def load(path: str | Path, constructors: Iterable[Any] = ()) -> Any:
    """Return the value that `save` wrote to a file.

    `constructors` are your own that the value was made of: functions that `fnn.constructor` decorated, initializers,
    schedules and other functions, classes of named tuples. They are found by name. Nothing in the file is executed: the
    library's public constructors and these are called, and arrays are read.

    Raises `FileNotFoundError` for a missing file, and `ValueError`, which says what to do, for a file that is
    truncated, altered (the checksum differs: it names the entry), of a newer format or not written by `save`, and for
    a value that needs a constructor which was not passed.

    >>> def half(rng, shape):
    ...     return np.full(shape, 0.5, np.float32)
    >>> fnn.save("layer.npz", layers.dense(2, w_init=half))
    >>> fnn.load("layer.npz", constructors=[half])
    dense(2, w_init=half)
    """
    known = Known(constructors)
    return stored(path).decoded("value", known)


def save_with_extra(path: str | Path, value: Any, extra: Any, *, trial: bool = False) -> None:
    """Write a value, and beside it something that `load` does not return, such as the run of a checkpoint.

    A `trial` raises what writing would raise, and leaves the file as it is.
    """
    container = container_of(path)
    encoder = Encoder()
    content = Document(encoder.node(value), encoder.node(extra, ("extra",)))
    text = document.written(content, encoder.arrays)
    with replaced(path, trial=trial) as stream:
        container.write(stream, text, encoder.arrays)


class Stored(NamedTuple):
    """A file whose checksums are right, before any of its values is made."""

    path: str | Path
    content: Document
    arrays: dict[str, np.ndarray]

    def decoded(self, part: str, known: Known) -> Any:
        """Return the "value", or the "extra" that stands beside it: None in a file of `save`."""
        try:
            return Decoder(self.arrays, known).root(getattr(self.content, part), () if part == "value" else (part,))
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from error
        except (KeyError, TypeError, AttributeError, RecursionError) as error:  # no file that `save` wrote
            raise _refusal(self.path, error) from error


def stored(path: str | Path) -> Stored:
    """Return what a file holds. Raises as `load` does for a missing or damaged file."""
    text, arrays = _read(path)
    try:
        return Stored(path, document.checked(text, arrays), arrays)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _refusal(path, error) from error


def container_of(path: str | Path) -> Container:
    """Return how the file of this name is written and read; raise `ValueError` for an unknown ending."""
    container = CONTAINERS.get(os.path.splitext(path)[1].lower())
    if container is None:
        raise ValueError(f"{path}: the name of the file must end in {' or '.join(CONTAINERS)}")
    return container


def _read(path: str | Path) -> tuple[str, dict[str, np.ndarray]]:
    with open_regular(path) as stream:
        container = container_of(path)
        try:
            return container.read(stream)
        except (ImportError, MemoryError):
            raise
        except Exception as error:  # a damaged file makes zipfile, NumPy and safetensors raise nearly anything
            if isinstance(error, OSError) and error.errno != errno.EINVAL:  # that of a place that no file has
                raise
            raise _refusal(path, error) from error


def _refusal(path: str | Path, error: Exception) -> ValueError:
    if isinstance(error, document.RefusedError):
        return ValueError(f"{path}: {error}")
    problem = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
    return ValueError(f"{path}: truncated, altered, or not written by fnn.save ({problem}): copy it again or save anew")
