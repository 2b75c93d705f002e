"""`fnn.processes`: its number, its block, and who may use it when."""

from __future__ import annotations

import socket
import subprocess
import sys

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers
from tests.parallel.calls import CALLS, MODEL, X, fit
from tests.parallel.leftovers import open_files, own_helpers
from tests.refusals import refused


@pytest.mark.parametrize("n", [0, -2, True, 2.5, "2", None])
def test_what_is_no_number_of_processes_is_refused(n):
    with refused(ValueError, f"processes: n is {n!r}, expected an int of at least 1"):
        fnn.processes(n)


@pytest.mark.parametrize(("n", "lower"), [(3, 2), (6, 4), (np.int64(12), 8)])
def test_a_number_that_is_no_power_of_two_is_refused(n, lower):
    why = "expected a power of two, as the chunks of a batch are shared out by halves"
    what = f"processes: n is {n}, {why}: take {lower} or {2 * lower}"
    with refused(ValueError, what):
        fnn.processes(n)


@pytest.mark.parametrize("n", [1, np.int64(2)])
def test_it_prints_as_its_call_and_starts_as_many_processes_less_this_one(n):
    comm = fnn.processes(n)
    assert repr(comm) == f"processes({n})"
    assert own_helpers() == []  # none before the block
    with comm as inside:
        assert inside is comm
        fit(comm)  # by its end the system shows the command of every process that has been started
        assert len(own_helpers()) == n - 1
    assert own_helpers() == []


def relu_statistics(comm):
    return fnn.statistics(layers.relu, {}, X, comm=comm)


@pytest.mark.parametrize("comm", [2, "mpi", fnn.processes, object(), MODEL])
@pytest.mark.parametrize("name", [*CALLS, "statistics of a model that needs none"])
def test_what_is_no_communicator_is_refused_by_every_function(name, comm):
    function, other = name.split()[0], {"statistics of a model that needs none": relu_statistics}
    expected = "an mpi4py communicator, such as MPI.COMM_WORLD, what `with fnn.processes(n) as comm` gives, or None"
    with refused(TypeError, f"{function}: comm is {comm!r}, expected {expected}"):
        {**CALLS, **other}[name](comm)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_outside_of_its_block_it_is_refused(call):
    comm = fnn.processes(2)
    message = "processes(2): has not begun or has ended: use it as `with fnn.processes(n) as comm:`"
    with refused(ValueError, message):
        call(comm)
    with comm:
        pass
    with refused(ValueError, message):
        call(comm)
    assert own_helpers() == []


def test_one_block_may_follow_another_and_not_stand_within_it():
    comm = fnn.processes(2)
    for _ in range(2):
        with comm:
            fit(comm)
            first = own_helpers()
            with refused(RuntimeError, "processes(2): is in use already; make another one for another block"), comm:
                pass
            assert own_helpers() == first  # the block goes on
            np.testing.assert_equal(fit(comm).params, fit(None).params)
        assert own_helpers() == []


def test_without_cloudpickle_the_error_names_the_extra(monkeypatch):
    comm = fnn.processes(2)
    monkeypatch.setitem(sys.modules, "cloudpickle", None)  # as if it were not installed
    with pytest.raises(ImportError, match=r"^fnn\.processes needs cloudpickle.*pip install -e '\.\[processes\]'"):
        comm.__enter__()
    assert own_helpers() == []
    monkeypatch.undo()
    with comm:
        fit(comm)


def test_a_system_without_descriptors_in_messages_is_refused(monkeypatch):
    monkeypatch.delattr(socket, "send_fds")
    remedy = "use threads (the default), or MPI: comm=MPI.COMM_WORLD"
    with refused(OSError, f"fnn.processes: this system passes no descriptors between processes: {remedy}"):
        fnn.processes(2).__enter__()


def test_a_process_that_cannot_start_leaves_none_of_the_others(monkeypatch):
    """The third of three, for want of memory, say."""
    real, started = subprocess.Popen, []

    def scarce(*arguments, **options):
        if len(started) == 2:
            raise OSError(11, "Resource temporarily unavailable")
        started.append(real(*arguments, **options))
        return started[-1]

    comm = fnn.processes(4)
    monkeypatch.setattr(subprocess, "Popen", scarce)
    with pytest.raises(OSError, match="Resource temporarily unavailable"):
        comm.__enter__()
    assert len(started) == 2
    assert own_helpers() == []
    monkeypatch.undo()
    with comm:
        np.testing.assert_equal(fit(comm).params, fit(None).params)


def test_a_block_leaves_no_descriptor_open():
    def block():
        with fnn.processes(4) as comm:
            for call in CALLS.values():
                call(comm)
            fnn.predict(layers.relu, {}, np.ones((1000, 100)), comm=comm)  # large enough for shared memory
        return open_files()

    assert block() == block()
