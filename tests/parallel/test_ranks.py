"""What ranks agree on: each one's outcome, or one rank's error on all of them."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn.parallel import ALONE, RankError, alike, own_share
from functional_nn.parallel.flat import axes_of, layout_of
from functional_nn.parallel.ranks import Report, check_size, is_alike, report_of
from tests.parallel.thread_ranks import queue_ranks, results, together
from tests.refusals import refused

SIZES = [1, 2, 4, 8]


@pytest.mark.parametrize("size", SIZES)
def test_all_ranks_get_the_outcomes_of_all(size):
    assert (
        results(queue_ranks(size), lambda ranks: ranks.agreed(lambda: 10 * ranks.rank))
        == [[10 * rank for rank in range(size)]] * size
    )


@pytest.mark.parametrize("size", SIZES)
def test_an_error_of_one_rank_is_raised_on_all(size):
    bad = size - 1

    def task(ranks):
        def here():
            if ranks.rank == bad:
                raise KeyError("mine", 7)
            return

        return ranks.agreed(here)

    for rank, error in enumerate(together(queue_ranks(size), task)):
        assert type(error) is KeyError
        assert error.args == ("mine", 7)
        assert is_alike(error) == (size > 1)
        if rank == bad:
            assert not hasattr(error, "__notes__")
        else:
            (note,) = error.__notes__
            assert note.startswith(f"on rank {bad} of {size}:\nTraceback (most recent call last):\n")
            assert 'raise KeyError("mine", 7)' in note
            assert note.endswith("\nKeyError: ('mine', 7)")


def test_where_several_raise_each_raises_its_own_and_the_others_the_first():
    def task(ranks):
        def here():
            if ranks.rank in (1, 2):
                raise ValueError(f"of rank {ranks.rank}")

        return ranks.agreed(here)

    assert [str(error) for error in together(queue_ranks(4), task)] == [
        "of rank 1", "of rank 1", "of rank 2", "of rank 1",
    ]  # fmt: skip


def test_an_interrupt_is_no_outcome():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        queue_ranks(1)[0].agreed(interrupted)
    with pytest.raises(KeyboardInterrupt):
        queue_ranks(2)[0].agreed(interrupted)  # and waits for nobody


def test_one_rank_is_alone():
    assert (ALONE.rank, ALONE.size, ALONE.threads) == (0, 1, None)
    assert ALONE.gather("value") == ALONE.agreed(lambda: "value") == ["value"]
    with pytest.raises(AssertionError, match="one rank has no partner"):
        ALONE.exchange(0, None, None)


@given(st.integers(0, 100), st.sampled_from(SIZES))
def test_shares_cover_all_pieces_in_order_and_differ_by_one_at_most(count, size):
    shares = [own_share(count, ranks) for ranks in queue_ranks(size)]
    assert [piece for share in shares for piece in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_number_of_ranks_must_be_a_power_of_two():
    assert [check_size("ranks", size) for size in (1, 2, 64)] == [1, 2, 64]
    for size, lower in ((3, 2), (6, 4), (1023, 512)):
        why = "expected a power of two, as the chunks of a batch are shared out by halves"
        what = f"ranks is {size}, {why}: take {lower} or {2 * lower}"
        with refused(ValueError, what):
            check_size("ranks", size)


def test_a_layout_is_row_major_or_an_order_of_axes():
    image = np.zeros((2, 3, 4, 5))
    assert layout_of([image, image.transpose(3, 0, 1, 2)[::-1], np.zeros(())]) == [
        ((2, 3, 4, 5), np.dtype(float), None),
        ((5, 2, 3, 4), np.dtype(float), (1, 2, 3, 0)),
        ((), np.dtype(float), None),
    ]
    assert axes_of(np.zeros((3, 4), order="F")) == axes_of(np.zeros((3, 4), order="F")[:, ::-1]) == (1, 0)
    assert axes_of(np.zeros((3, 4))[::-1]) == (0, 1)


# Errors from another process


class OfTwo(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def raised(error):
    try:
        raise error
    except BaseException as caught:
        return caught


def sent(error):
    """What another rank makes of an error."""
    return pickle.loads(pickle.dumps(report_of(raised(error), 3))).error(4)


def test_an_error_arrives_with_its_type_arguments_and_traceback():
    error = ValueError("mine")
    error.result = [1, 2]
    theirs = sent(alike(error))
    assert (type(theirs), theirs.args, theirs.result) == (ValueError, ("mine",), [1, 2])
    assert theirs.__notes__[0].startswith("on rank 3 of 4:\nTraceback (most recent call last):\n")
    assert theirs.__notes__[0].endswith("ValueError: mine")


def test_an_error_that_cannot_be_made_elsewhere_arrives_as_its_text():
    theirs = sent(OfTwo(1, 2))  # pickles, and does not come back
    assert (type(theirs), str(theirs)) == (RankError, "OfTwo: 1 and 2")
    assert "in raised" in theirs.__notes__[0]
    error = KeyError("mine")
    error.function = lambda: None  # does not pickle
    theirs = sent(error)
    assert (type(theirs), str(theirs)) == (RankError, "KeyError: 'mine'")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_what_ends_a_process_ends_no_other_one_but_is_an_error_there(error):
    theirs = sent(error)
    assert (type(theirs), str(theirs)) == (RankError, f"{type(error).__name__}: {error}")


SCRIPT = """
import pickle, sys
from functional_nn.parallel.ranks import report_of

class Outer:
    class Mine(Exception): pass

if sys.argv[1] == "send":
    error = Outer.Mine("text")
    error.cause = Outer.Mine("within")
    sys.stdout.buffer.write(pickle.dumps(report_of(error, 1)))
else:
    error = pickle.loads(sys.stdin.buffer.read()).error(2)
    print(type(error) is Outer.Mine, error, error.cause)
"""


def test_a_scripts_own_error_is_found_by_its_name_in_the_script_alone(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py")]
    report = subprocess.run([*command, "send"], capture_output=True, check=True).stdout
    back = subprocess.run([*command, "receive"], input=report, capture_output=True, check=True).stdout
    assert back.decode().strip() == "True text within"
    error = pickle.loads(report).error(2)
    assert (type(error), str(error)) == (RankError, "Mine: text")
    assert isinstance(pickle.loads(report), Report)
