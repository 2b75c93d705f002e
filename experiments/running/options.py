"""The options that commands share, and how a command answers what it cannot do: in a line that says what to do.

This module needs no extra, so that a command can name the extra that is missing.
"""

from __future__ import annotations

import argparse
import importlib.util
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

MOST = 1_000_000  # of epochs, seeds, workers and cases
MOST_SEED = 2**32 - 1  # scikit-learn takes no larger one
DASK = "dask"
EXTRAS = {
    **dict.fromkeys(("joblib", "matplotlib", "tqdm", "scipy", "sklearn", "PIL", "jinja2"), "experiments"),
    "skimage": "handmade",
    **dict.fromkeys(("dask", "distributed"), DASK),
    "hypothesis": "test",
    "cloudpickle": "processes",
    "mpi4py": "mpi",
    **dict.fromkeys(("torch", "jax"), "bench"),
}
RUNS_ARE_KEPT = "what is finished is kept, and the same command goes on from there"


Work = Callable[[argparse.Namespace], None]
Main = Callable[..., None]


class InputError(ValueError):
    """What the user gave cannot be used; the message says why, and what to do."""


def whole(least: int = 0, most: int = MOST) -> Callable[[str], int]:
    """Return the type of an option that takes a whole number from `least` to `most`."""

    def number(text: str) -> int:
        if not text.isdecimal() or len(text) > 20 or not least <= int(text) <= most:
            shown = text if len(text) <= 20 else f"{text[:20]}..."
            raise argparse.ArgumentTypeError(f"{shown!r}: expected a whole number from {least:,} to {most:,}")
        return int(text)

    return number


positive = whole(1)
seed = whole(0, MOST_SEED)


def base_parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    """Return a parser for `python -m experiments.NAME` with `--out`; `doc` is the module's docstring."""
    description = (doc or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{name}", description=description)
    parser.add_argument("--out", type=Path, default=Path("out") / name, metavar="DIR", help="default: %(default)s")
    return parser


def run_parser(
    name: str,
    doc: str | None,
    *,
    default_data: str | None = "digits",
    default_seeds: int = 3,
    default_workers: int | None = None,
) -> argparse.ArgumentParser:
    """Return a parser with the options of a command that trains networks.

    `default_workers` is the number of runs at a time, None for one a core.
    """
    parser = base_parser(name, doc)
    add = parser.add_argument
    default = f" (default: {default_data})" if default_data else ""
    at_a_time = "one a core" if default_workers is None else f"{default_workers}, which uses all cores"
    add("--data", default=default_data, required=not default_data, help=f'"digits", or a directory of images{default}')
    add("--cache", type=Path, metavar="FILE.npz", help="keep the decoded images in this file")
    add("--seed", type=seed, default=0, metavar="S", help="the first seed (default: %(default)s)")
    add("--seeds", type=positive, default=default_seeds, metavar="N", help="number of seeds (default: %(default)s)")
    add(
        "--workers",
        type=positive,
        default=default_workers,
        metavar="N",
        help=f"runs at a time (default: {at_a_time}); the figures do not depend on it",
    )
    add("--backend", default="loky", help="joblib's: loky, threading, dask or another (default: %(default)s)")
    add("--scheduler", metavar="ADDRESS", help="of a Dask cluster, with --backend dask (default: one on this machine)")
    return parser


def command(
    parser: argparse.ArgumentParser, check: Work, *, interrupted: str = RUNS_ARE_KEPT, extra: str | None = None
) -> Callable[[Work], Main]:
    """Decorate what a command does, a function of its options, which becomes `main(arguments=None)`.

        @command(run_parser("search", __doc__), check_runs)
        def main(options): ...

    `check(options)` comes first: it refuses what cannot be run and makes the directory of results. The command as it
    was typed is `options.command`. The keywords are those of `answered`.
    """

    def decorated(work: Work) -> Main:
        @wraps(work)
        def main(arguments: list[str] | None = None) -> None:
            words = sys.argv[1:] if arguments is None else arguments
            options = parser.parse_args(words)
            options.command = shlex.join([*parser.prog.split(), *words])
            with answered(parser, interrupted=interrupted, extra=extra):
                check(options)
                work(options)

        return main

    return decorated


@contextmanager
def answered(
    parser: argparse.ArgumentParser, *, interrupted: str = RUNS_ARE_KEPT, extra: str | None = None
) -> Iterator[None]:
    """Answer bad input, a missing package, a file that cannot be used, and an interrupt, in a line without a trace.

    Any other exception keeps its trace: it may be a bug. `interrupted` says what an interrupt leaves; `extra` is the
    command's own, where it has one.
    """
    try:
        yield
    except (InputError, OSError) as error:
        parser.error(str(error))
    except ImportError as error:
        parser.error(_what_is_missing(error, extra))
    except KeyboardInterrupt:
        exec("")  # else Python ends by the signal, whatever the code, where the interrupt left an exec of text
        parser.exit(130, f"interrupted: {interrupted}\n")


def check_runs(options: argparse.Namespace) -> None:
    """Make the directory of results; raise `InputError`, `OSError` or `ImportError` for options that cannot be run."""
    if options.seed + options.seeds - 1 > MOST_SEED:
        raise InputError(f"--seed {options.seed} --seeds {options.seeds}: seeds end at {MOST_SEED:,}")
    if options.backend == DASK:
        require("distributed")
    elif options.scheduler:
        raise InputError("--scheduler is the address of Dask's scheduler: give --backend dask as well")
    else:
        _check_backend(options.backend)
    check_out(options)


def check_out(options: argparse.Namespace) -> None:
    """Make the directory of results; raise `OSError` where files cannot be written to it."""
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=options.out):
        pass


def require(*modules: str) -> None:
    """Raise `ImportError`, naming the extra to install, where one of `modules` is not installed."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ImportError(missing(module))


def missing(module: str, extra: str | None = None) -> str:
    """Return which extra to install for `module`, with a command that works in a clone of the repository."""
    extra = extra or EXTRAS[module]
    return f"this needs {module}, which is not installed: run pip install -e '.[{extra}]' in the repository"


def seeds(options: argparse.Namespace) -> list[int]:
    """Return the seeds that the options ask for."""
    return list(range(options.seed, options.seed + options.seeds))


def _what_is_missing(error: ImportError, extra: str | None) -> str:
    if not isinstance(error, ModuleNotFoundError):
        return str(error)
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        raise error
    return missing(module, extra)


def _check_backend(name: str) -> None:
    from joblib import Parallel

    try:
        Parallel(n_jobs=1, backend=name, return_as="generator_unordered")
    except ValueError as error:
        raise InputError(
            f"--backend {name}: expected dask or a backend of joblib that returns results as they finish, such as "
            f"loky, threading or sequential ({error})"
        ) from error
