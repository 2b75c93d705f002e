"""The parser of `functional-nn`, and how it answers what it cannot do: in a line that says what to do."""

from __future__ import annotations

import argparse
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

import functional_nn
from functional_nn.cli import check, classify, evaluate, summary, train
from functional_nn.cli.options import Parser
from functional_nn.cli.streams import silenced
from functional_nn.cli.target import OwnCodeError
from functional_nn.parallel import RankError
from functional_nn.training import DivergenceError

__all__ = ["main"]

NAME = "functional-nn"
COMMANDS = (train, classify, evaluate, summary, check)
EXPECTED = (ValueError, TypeError, OSError, ImportError, DivergenceError, RankError)  # any other error is a bug
WRONG, UNUSABLE, INTERRUPTED, PIPE_CLOSED = 1, 2, 130, 141  # exit codes, the last two as a shell gives them

EXAMPLES = """\
examples:
  functional-nn train pets --out pets.npz          # pets/cat/*.jpg, pets/dog/*.jpg, ...
  functional-nn classify pets.npz holiday.jpg      # which of them is it?
  functional-nn evaluate pets.npz pets             # how often is it right?
  functional-nn summary pets.npz                   # its layers
  functional-nn check my_layers.py:scale --input-shape 8,8,3

`functional-nn COMMAND --help` shows a command's options, with more examples.

exit codes: 0 fine; 1 what you asked about is wrong (files that are no images, a wrong gradient);
2 input that cannot be used; 130 interrupted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of the process, and return its exit code."""
    _write_any_text()
    code = _run(_parser().parse_args(arguments))
    if arguments is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while Python ends would print a traceback
    return code


def _run(options: argparse.Namespace) -> int:
    try:
        code: int = options.run(options)
        print(end="", flush=True)  # unlike sys.stdout.flush() this does nothing where standard output is closed
    except KeyboardInterrupt as interrupt:
        exec("")  # else Python ends by the signal, whatever the code, where the interrupt left an exec of text
        return _said(f"interrupted: {interrupt}" if str(interrupt) else "interrupted", INTERRUPTED)
    except BrokenPipeError:  # such as `... | head`: the reader has seen enough
        silenced(sys.stdout)
        return PIPE_CLOSED
    except OwnCodeError as error:
        traceback.print_exception(error.__cause__)
        return _said(f"{error}: the traceback is above", WRONG)
    except EXPECTED as error:
        if options.traceback:
            traceback.print_exc()
        return _said(f"error: {_text(error)}", UNUSABLE)
    return code


def _parser() -> Parser:
    parser = Parser(prog=NAME, description="Neural networks for pictures, in pure NumPy.", epilog=EXAMPLES)
    parser.add_argument("--version", action="version", version=f"{NAME} {functional_nn.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        one = commands.add_parser(name, description=command.__doc__, epilog=command.EXAMPLES, help=command.HELP)
        command.add_options(one)
        one.add_argument("--traceback", action="store_true", help="show where in the code an error arose")
        one.set_defaults(run=command.run)
    return parser


def _text(error: Exception) -> str:
    """Return an error's message; one of the system without its number."""
    if isinstance(error, OSError) and error.filename is not None and str(error) == OSError.__str__(error):
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _said(message: str, code: int) -> int:
    with suppress(BrokenPipeError):
        print(f"{NAME}: {message}", file=sys.stderr)
    return code


def _write_any_text() -> None:
    """Let names be printed that the terminal's encoding does not have, as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
