"""The command as a whole: its help, exit codes, errors in a line, and what it imports."""

from __future__ import annotations

import configparser
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import functional_nn as fnn
from functional_nn.cli import command as the_command
from functional_nn.cli import main
from functional_nn.parallel import RankError
from tests.cli.conftest import Run

COMMANDS = ("train", "classify", "evaluate", "summary", "check")


def module(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run `python -m functional_nn` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "functional_nn", *arguments], capture_output=True, text=True, check=False, **options
    )


def test_the_console_script_is_declared() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    assert setup["options.entry_points"]["console_scripts"].strip() == "functional-nn = functional_nn.cli:main"
    assert "*.html" in setup["options.package_data"]["functional_nn.cli"]


def test_the_module_is_the_same_command() -> None:
    ran = module("--version")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"functional-nn {fnn.__version__}\n", "")
    ran = module("summary", "nothing")
    assert ran.returncode == 2
    assert ran.stderr.startswith("functional-nn: error: nothing: expected a file that train wrote")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_by_examples(command: str, run: Run) -> None:
    ran = run(command, "--help")
    assert ran.code == 0
    assert f"examples:\n  functional-nn {command} " in ran.out
    assert all(len(line) <= 120 for line in ran.out.splitlines())


def test_the_examples_of_the_help_are_commands_that_the_parser_takes(run: Run, monkeypatch) -> None:
    lines = [line for name in (None, *COMMANDS) for line in run(*([name] if name else []), "--help").out.splitlines()]
    examples = [line.strip() for line in lines if line.startswith("  functional-nn ")]
    assert len(examples) > 15
    for example in examples:
        arguments = shlex.split(example.partition(" >")[0], comments=True)[1:]
        assert the_command._parser().parse_args(arguments).command == arguments[0], example


def test_help_needs_no_package_that_is_slow_to_import() -> None:
    heavy = {"matplotlib", "PIL", "sklearn", "tqdm", "hypothesis", "functional_nn.plots", "functional_nn.testing"}
    text = (
        "import sys\nfrom functional_nn.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True, text=True)
    assert ran.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("arguments", [(), ("trian",), ("train",), ("train", "pets"), ("check", "m:l")])
def test_wrong_usage_is_answered_in_a_line(arguments: tuple[str, ...], run: Run) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.err.startswith("functional-nn: error: ")
    assert ran.err.endswith("--help)\n")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [("train", "", "--out", "a.npz"), ("evaluate", "a.npz", ""), ("classify", "a.npz", " "), ("summary", "")],
)
def test_an_empty_name_is_no_folder(arguments: tuple[str, ...], run: Run) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert "expected the name of a file or a folder" in ran.err


@pytest.mark.parametrize("error", [ValueError, TypeError, OSError, ImportError, fnn.DivergenceError, RankError])
def test_expected_errors_are_a_line_and_with_traceback_more(error: type, run: Run, monkeypatch) -> None:
    def fails(*arguments: object) -> None:
        raise error("what to do", None) if error is fnn.DivergenceError else error("what to do")

    monkeypatch.setattr("functional_nn.anatomy.summary", fails)
    ran = run("summary", "lenet5")
    assert (ran.code, ran.out, ran.err) == (2, "", "functional-nn: error: what to do\n")
    ran = run("summary", "lenet5", "--traceback")
    assert ran.code == 2
    assert "Traceback (most recent call last)" in ran.err
    assert ran.err.endswith("functional-nn: error: what to do\n")


def test_a_bug_keeps_its_traceback(monkeypatch) -> None:
    def fails(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("functional_nn.anatomy.summary", fails)
    with pytest.raises(ZeroDivisionError):
        main(["summary", "lenet5"])


def test_an_interrupt_has_the_code_of_shells(run: Run, monkeypatch) -> None:
    def press_ctrl_c(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("functional_nn.anatomy.summary", press_ctrl_c)
    ran = run("summary", "lenet5")
    assert (ran.code, ran.out, ran.err) == (130, "", "functional-nn: interrupted\n")


def test_an_interrupt_within_an_exec_has_the_same_code(tmp_path: Path) -> None:
    """Python ended by the signal where text was executed, as in the making of a dataclass, when Ctrl-C came."""
    (tmp_path / "layers.py").write_text("exec('raise KeyboardInterrupt')")
    ran = module("check", f"{tmp_path}/layers.py:scale", "--input-shape", "8")
    assert (ran.returncode, ran.stderr) == (130, "functional-nn: interrupted\n")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes close otherwise there")
def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    script = f"'{sys.executable}' -m functional_nn summary small_resnet | true; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, check=True, text=True)
    assert ran.stderr == ""
    assert ran.stdout.strip() in ("0", "141")  # 0 where the pipe's buffer took it all before its reader ended


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such pipes")
def test_training_that_nobody_watches_ends_with_its_files_whole(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    train = "train digits --out a.npz --model perceptron --size 8 --epochs 2 2>&1"
    script = f"'{sys.executable}' -m functional_nn {train} | true; echo ${{PIPESTATUS[0]}}"
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    ran = subprocess.run(
        ["bash", "-c", script], capture_output=True, check=True, text=True, cwd=tmp_path, env=environment
    )
    assert (ran.stdout, ran.stderr) == ("0\n", "")
    assert {path.name for path in tmp_path.iterdir()} == {"a.npz", "a.html"}


@pytest.mark.skipif(sys.platform == "win32", reason="signals are otherwise there")
def test_an_interrupt_while_python_ends_prints_no_traceback() -> None:
    text = (
        "import atexit, os, signal, sys; from functional_nn.cli import main; sys.argv[1:] = ['summary', 'lenet5']\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT)); sys.exit(main())"
    )
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, check=False, text=True)
    assert (ran.returncode, ran.stderr) == (-signal.SIGINT, "")
    assert "lenet5" in ran.stdout


def test_a_closed_pipe_is_quiet(run: Run, monkeypatch) -> None:
    def closed(*arguments: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("functional_nn.anatomy.summary", closed)
    monkeypatch.setattr("os.dup2", lambda *descriptors: None)
    assert run("summary", "lenet5") == (141, "", "")


def test_names_that_the_terminal_cannot_show_are_escaped(tmp_path: Path) -> None:
    ran = module("summary", "Ω.npz", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path.cwd())})
    assert ran.returncode == 2
    assert r"\u03a9.npz" in ran.stderr


def test_closed_standard_streams_are_no_error(tmp_path: Path) -> None:
    program = "import sys; sys.stdout = sys.stderr = None; from functional_nn.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program]
    assert subprocess.run([*command, "summary", "lenet5"], capture_output=True, check=False).returncode == 0
    training = ("train", "digits", "--out", str(tmp_path / "a.npz"), "--model", "perceptron", "--epochs", "1")
    ran = subprocess.run([*command, *training, "--size", "8"], capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert (tmp_path / "a.npz").exists()
