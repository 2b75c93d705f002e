"""The options that every run has, what they must fulfil, and the configuration that its results.json begins with."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from joblib import Parallel

from experiments.running.runs import Cluster
from experiments.running.store import environment
from functional_nn import data


def parser(
    name: str, doc: str, *, default_data: str | None = "digits", default_seeds: int = 3
) -> argparse.ArgumentParser:
    """Return the parser of `python -m experiments.NAME`; `doc` is its module's docstring, `--out` out/NAME."""
    made = argparse.ArgumentParser(prog=f"python -m experiments.{name}", description=doc.splitlines()[0])
    add = made.add_argument
    said = f" (default: {default_data})" if default_data else ""
    add("--data", default=default_data, required=not default_data, help=f'"digits", or a directory of images{said}')
    add("--cache", type=Path, metavar="FILE.npz", help="keep the decoded images in this file")
    add("--seed", type=natural, default=0, metavar="S", help="the first seed (default: %(default)s)")
    add("--seeds", type=positive, default=default_seeds, metavar="N", help="how many seeds (default: %(default)s)")
    add("--out", type=Path, default=Path("out") / name, metavar="DIR", help="default: %(default)s")
    add("--workers", type=positive, metavar="N", help="runs at a time (default: one a core); figures do not change")
    add("--backend", default="loky", help="joblib's: loky, threading, dask or another (default: %(default)s)")
    add("--scheduler", metavar="ADDRESS", help="of a Dask cluster, with --backend dask (default: one of this machine)")
    return made


@contextmanager
def reported(parser: argparse.ArgumentParser) -> Iterator[None]:
    """Report what is wrong with the input, and an interrupt, in a line instead of a trace.

    A `RunError` keeps its trace: what failed may be a bug.
    """
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        parser.exit(130, "interrupted: what is finished is kept, and the same command goes on from there\n")


def check(options: argparse.Namespace) -> None:
    """Make the directory of results; raise `ValueError`, `OSError` or `ImportError` for what cannot be run."""
    if options.backend == "dask":
        require("distributed", "dask")
    elif options.scheduler:
        raise ValueError("--scheduler is the address of Dask's scheduler: give --backend dask as well")
    else:
        _check_backend(options.backend)
    options.out.mkdir(parents=True, exist_ok=True)


def _check_backend(name: str) -> None:
    try:
        Parallel(n_jobs=1, backend=name, return_as="generator_unordered")
    except ValueError as error:
        raise ValueError(
            f"--backend {name}: expected dask or a backend of joblib that gives results as they finish, such as loky, "
            f"threading or sequential ({error})"
        ) from error


def require(module: str, extra: str) -> None:
    """Raise `ImportError`, naming the extra to install, where `module` is not there."""
    if importlib.util.find_spec(module) is None:
        raise ImportError(f"this needs {module}, which is not installed: pip install 'functional-nn[{extra}]'")


def seeds(options: argparse.Namespace) -> list[int]:
    return list(range(options.seed, options.seed + options.seeds))


def cluster(options: argparse.Namespace) -> Cluster:
    return Cluster(options.workers, options.backend, options.scheduler)


def configuration(options: argparse.Namespace, found: str) -> dict[str, Any]:
    """Return what results.json says of a run: data, options, seeds, versions, commit, machine."""
    return {
        "data": found,
        "source": data.fingerprint(options.data),
        "options": {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()},
        "seeds": seeds(options),
        **environment(),
    }


def positive(text: str) -> int:
    return _whole(text, 1)


def natural(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of at least {least}")
    return int(text)
