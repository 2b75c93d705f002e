"""However a script ends, its other processes end with it, and nothing is left in shared memory."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from tests.parallel.leftovers import helpers, nothing_left
from tests.parallel.scripts import ended, run, started

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such processes")

TRAINING = """
def tell(result):
    if len(result.history) == 1:
        print("trains", flush=True)

with fnn.processes(4) as comm:
    fit(comm, epochs=1_000_000, callback=tell)
"""
GRADIENTS = """
step = fnn.data_parallel(fnn.value_and_grad(model, loss), chunk=4)
params = model.init(np.random.default_rng(0), (3,))
with fnn.processes(2) as comm:
    step = fnn.data_parallel(fnn.value_and_grad(model, loss), chunk=4, comm=comm)
    step(params, x, labels)
    print("trains", flush=True)
    while True:
        step(params, x, labels)
"""
WAITING = """
with fnn.processes(2) as comm:
    fit(comm)
    print("trains", flush=True)
    time.sleep(1000)
"""
BUSY = """
def dawdling(x, key):
    if os.getpid() != script:
        print("trains", flush=True)
        time.sleep(1000)
    return x

with fnn.processes(2) as comm:
    fit(comm, transform=dawdling)
"""
SCRIPTS = {
    "within a fit": TRAINING,
    "within a session": GRADIENTS,
    "between two calls": WAITING,
    "while another is busy": BUSY,
}


def trains(folder, text, **options):
    """A script that has begun to train, and has other processes."""
    process = started(folder, text, **options)
    line = process.stdout.readline()
    assert line == "trains\n", process.communicate()
    assert helpers(str(folder))
    return process


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_script_that_is_killed(tmp_path, script, number):
    with nothing_left(str(tmp_path)):
        process = trains(tmp_path, SCRIPTS[script])
        process.send_signal(number)
        assert ended(process)[::2] == (-number, "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_ctrl_c_goes_to_all_processes_of_the_terminal_and_is_said_once(tmp_path, script):
    with nothing_left(str(tmp_path)):
        process = trains(tmp_path, SCRIPTS[script], start_new_session=True)
        time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        code, _, err = ended(process)
    assert code in (1, -signal.SIGINT)
    assert err.count("Traceback (most recent call last)") == 1
    within_a_fit = script in ("within a fit", "while another is busy")
    name = "functional_nn.training.fit.Interrupted: " if within_a_fit else "KeyboardInterrupt"
    assert err.splitlines()[-1].startswith(name)


QUIET = "import warnings\nwarnings.simplefilter('ignore', ResourceWarning)\n"
ENDINGS = {
    "sys.exit": ("sys.exit(3)", 3, ""),
    "os._exit": ("os._exit(3)", 3, ""),
    "an error": ("raise KeyError('mine')", 1, "KeyError: 'mine'"),
    "the last line, within the block": ("pass", 0, ""),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("place", ["in the block", "in a callback", "without leaving the block"])
def test_a_script_that_ends(tmp_path, ending, place):
    line, code, message = ENDINGS[ending]
    texts = {
        "in the block": f"with fnn.processes(2) as comm:\n    fit(comm)\n    {line}\n",
        "in a callback": f"def end(result):\n    {line}\nwith fnn.processes(2) as comm:\n    fit(comm, callback=end)\n",
        "without leaving the block": f"{QUIET}comm = fnn.processes(2)\ncomm.__enter__()\nfit(comm)\n{line}\n",
    }
    with nothing_left(str(tmp_path)):
        ending_code, out, err = ended(started(tmp_path, texts[place]))
    assert (ending_code, out) == (code, "")
    assert ("Traceback" in err) == bool(message)
    assert message in err


def test_a_script_goes_on_after_a_ctrl_c_that_it_catches(tmp_path):
    text = """
def interrupt(result):
    if len(result.history) == 2:
        os.kill(script, signal.SIGINT)
        time.sleep(10)

with fnn.processes(2) as comm:
    try:
        fit(comm, epochs=4, callback=interrupt)
    except fnn.Interrupted as error:
        part = error.result
    print(same(fit(comm, epochs=4, resume=part), fit(None, epochs=4)))
"""
    with nothing_left(str(tmp_path)):
        assert run(tmp_path, text).split() == ["True"]


def test_ctrl_c_is_the_scripts_own_affair(tmp_path):
    """It may go on training, as it does here until the end of the epoch: the others know nothing of it."""
    text = """
asked = []
signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))

def enough(result):
    if len(result.history) == 1:
        print("trains", flush=True)
    return bool(asked)

with fnn.processes(4) as comm:
    result = fit(comm, epochs=1_000_000, callback=enough)
print(same(result, fit(None, epochs=len(result.history))))
"""
    with nothing_left(str(tmp_path)):
        process = trains(tmp_path, text, start_new_session=True)
        os.killpg(process.pid, signal.SIGINT)
        assert ended(process) == (0, "True\n", "")


def test_a_killed_run_goes_on_from_its_checkpoint_with_another_number_of_processes(tmp_path):
    text = """
def tell(result):
    if len(result.history) == 3:
        print("trains", flush=True)
        time.sleep(1000)

with fnn.processes({n}) as comm:
    result = fit(comm, epochs=5, checkpoint="run.npz", callback={callback})
print(same(result, fit(None, epochs=5)))
"""
    with nothing_left(str(tmp_path)):
        process = trains(tmp_path, text.format(n=4, callback="tell"))
        process.kill()
        ended(process)
        assert run(tmp_path, text.format(n=2, callback="None")).split() == ["True"]


def test_processes_that_cannot_start_are_named(tmp_path):
    """Here as there is another program in the place of their interpreter."""
    text = """
import shutil
sys.executable = shutil.which("false")
with fnn.processes(2) as comm:
    fit(comm)
"""
    with nothing_left(str(tmp_path)):
        code, out, err = ended(started(tmp_path, text))
    assert (code, out) == (1, "")
    assert "RankError: process 1 of 2 ended with exit code 1; the others have ended, too" in err
