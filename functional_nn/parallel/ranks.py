"""Ranks: the processes of one run, each of which computes its own chunks and gets the sum of all."""

from __future__ import annotations

import io
import pickle
import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from functional_nn.nodes import Tree
from functional_nn.parallel.flat import Arrays, Flat, Layout

__all__ = [
    "ALONE",
    "Arrays",
    "Comm",
    "Layout",
    "RankError",
    "Ranks",
    "Report",
    "alike",
    "check_same_call",
    "check_size",
    "is_alike",
    "own_share",
    "report_of",
]

Result = TypeVar("Result")
Comm = Any  # an mpi4py communicator, or what `processes` gives


class RankError(RuntimeError):
    """Another rank failed, or differs from this one.

    >>> from functional_nn.parallel import RankError
    >>> issubclass(RankError, RuntimeError)
    True
    """


class Ranks(ABC):
    """How this rank reaches the others. All ranks must make the same calls in the same order."""

    rank: int
    size: int  # a power of two
    threads: int | None  # on which a rank computes where nobody says how many; None: on all cores
    _flat: Flat | None = None  # of the last tree that was exchanged

    @abstractmethod
    def exchange(self, partner: int, arrays: Arrays | None, layout: Layout | None) -> Arrays | None:
        """Send arrays to the partner, none where None, and return its own, which have this layout, none where None.

        What is returned stands until the next exchange.
        """

    @abstractmethod
    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks, in their order, on every rank."""

    def flat(self, like: Tree) -> Flat:
        """Return how trees like this one lie in vectors, to be exchanged."""
        if self._flat is None or not self._flat.fits(like):
            self._flat = Flat(like)
        return self._flat

    def agreed(self, task: Callable[[], Result]) -> list[Result]:
        """Return what the task returns on each rank; where it raises on one, raise that rank's error on all."""
        if self.size == 1:
            return [task()]
        outcome = error = failure = None
        try:
            outcome = task()
        except Exception as raised:
            error, failure = raised, report_of(raised, self.rank)
        answers = self.gather((outcome, failure))
        if error is not None:
            raise alike(error)
        for _, report in answers:
            if report is not None:
                raise alike(report.error(self.size))
        return [theirs for theirs, _ in answers]


class _Alone(Ranks):
    """The only rank."""

    rank, size, threads = 0, 1, None

    def exchange(self, partner: int, arrays: Arrays | None, layout: Layout | None) -> Arrays | None:
        raise AssertionError("one rank has no partner")

    def gather(self, value: Any) -> list[Any]:
        return [value]


ALONE = _Alone()


def check_size(what: str, size: int) -> int:
    """Return the number of ranks. Raise `ValueError` unless it is a power of two."""
    if size & (size - 1):
        less = 1 << (size.bit_length() - 1)
        why = "as the chunks of a batch are shared out by halves"
        raise ValueError(f"{what} is {size}, expected a power of two, {why}: take {less} or {2 * less}")
    return size


def check_same_call(ranks: Ranks, function: str, given: dict[str, Any]) -> None:
    """Raise `ValueError` on all ranks where one was given something else than the first."""
    if ranks.size == 1:
        return
    everyones = ranks.gather(given)
    for rank, theirs in enumerate(everyones):
        for name, value in theirs.items():
            if value != everyones[0][name]:
                what = f"{function}: rank {rank} was given {name} = {value}, rank 0 {everyones[0][name]}"
                why = "the whole batch or data, of which each computes its part"
                raise alike(ValueError(f"{what}; all ranks must call {function} with the same arguments: {why}"))


def own_share(count: int, ranks: Ranks) -> range:
    """Return which of `count` pieces, which are not added up, this rank takes."""
    return range(count * ranks.rank // ranks.size, count * (ranks.rank + 1) // ranks.size)


def alike(error: Exception) -> Exception:
    """Return the error, marked as one that all ranks raise at the same place: none waits for another."""
    error.on_all_ranks = True  # type: ignore[attr-defined]
    return error


def is_alike(error: BaseException) -> bool:
    """Return whether all ranks raise this error."""
    return getattr(error, "on_all_ranks", False)


class Report(NamedTuple):
    """What the other ranks learn of an error."""

    rank: int
    pickled: list[bytes]  # the error, a `RankError` with its text and what else it has, and one without: what pickles
    traceback: str

    def error(self, size: int) -> Exception:
        """Return the error, or as much of it as this rank can make."""
        for pickled in self.pickled:
            with suppress(Exception):
                error = pickle.loads(pickled)
                error.add_note(f"on rank {self.rank} of {size}:\n{self.traceback}")
                return error
        raise AssertionError("a RankError with a text can be made everywhere")


def report_of(error: BaseException, rank: int) -> Report:
    """Return what the other ranks learn of this rank's error; one that ends a process is a `RankError` there."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # its own text raises
        text = "".join(traceback.format_exception_only(error)).strip()
    stand_in = RankError(text)
    stand_in.__dict__.update(error.__dict__)  # its notes, and the result that a callback's error has
    pickled = []
    for one in (*([error] if isinstance(error, Exception) else []), stand_in, RankError(text)):
        stream = io.BytesIO()
        with suppress(Exception):
            _ReportPickler(stream).dump(one)
            pickled.append(stream.getvalue())
    return Report(rank, pickled, "".join(traceback.format_exception(error)).rstrip())


class _ReportPickler(pickle.Pickler):
    """Pickles a class of the script by its name: what a helper has of it is a copy, and `__main__` another module."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type) and obj.__module__ == "__main__":
            return _in_script, (obj.__qualname__,)
        return NotImplemented


def _in_script(name: str) -> Any:
    return attrgetter(name)(sys.modules["__main__"])
