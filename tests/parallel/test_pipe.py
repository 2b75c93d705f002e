"""Messages between two processes: nothing is overwritten before it is read, and an end is noticed on both sides."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functional_nn.parallel.packing import packed_task
from functional_nn.parallel.pipe import ClosedError, Failure, Pipe
from tests.parallel.leftovers import open_files
from tests.refusals import refused


@contextmanager
def pipe(spin_seconds=0.0):
    one, two = socket.socketpair()
    with one, two:
        yield Pipe(one, spin_seconds), Pipe(two, spin_seconds)


@pytest.fixture(params=[0.0, 3e-4], ids=["asleep", "spinning"])
def ends(request):
    with pipe(request.param) as both:
        yield both


LARGE = np.arange(100_000, dtype=np.float32)
VALUES = [None, {"a": [1, (2.5, "text")]}, np.arange(3), LARGE, {"x": LARGE, "y": LARGE[::2]}, "x" * 200_000]


class Asked(socket.socket):
    """A socket that remembers how it was asked for messages."""

    def __init__(self, fileno):
        super().__init__(fileno=fileno)
        self.asked = []

    def recvmsg(self, size, room, flags=0):
        self.asked.append(flags)
        return super().recvmsg(size, room, flags)


@pytest.mark.parametrize(("spin_seconds", "flags"), [(0.0, 0), (60.0, socket.MSG_DONTWAIT)])
def test_an_end_that_spins_asks_without_falling_asleep(spin_seconds, flags):
    """socket.recv_fds ignores its flags, so that every wait cost the time in which a core wakes."""
    one, two = socket.socketpair()
    with Asked(one.detach()) as asked, two:
        Pipe(two).send("text")
        assert Pipe(asked, spin_seconds).receive() == "text"
    assert asked.asked == [flags]


def test_values_arrive_in_their_order(ends):
    one, two = ends
    sender = threading.Thread(target=lambda: [one.send(value) for value in VALUES])
    sender.start()
    received = [two.receive() for _ in VALUES]
    sender.join()
    for value, theirs in zip(VALUES, received, strict=True):
        np.testing.assert_equal(theirs, value)
    two.send("and back")
    assert one.receive() == "and back"


def test_one_pack_goes_to_several(ends):
    pack = packed_task({"x": LARGE, "f": lambda x: x + 1})
    with pipe() as others:
        for sender, receiver in (ends, others):
            sender.send(None, pack=pack)
            value = receiver.receive()
            np.testing.assert_array_equal(value["x"], LARGE)
            assert value["f"](1) == 2
    pack.memory.close()


ARRAYS = [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.ones((3, 2), np.float32)), np.array(7), np.zeros((0, 2))]


def test_arrays_arrive_as_they_are_and_none_as_none(ends):
    one, two = ends
    for _ in range(5):
        one.send_arrays(ARRAYS, 0)
        one.send_arrays([], 0)
        for theirs, array in zip(two.receive_arrays(), ARRAYS, strict=True):
            np.testing.assert_array_equal(theirs, array, strict=True)
            assert theirs.size == 0 or theirs.strides == array.strides
            assert not theirs.flags.writeable
        assert two.receive_arrays() == []


def test_what_was_received_stands_when_the_sender_runs_ahead_by_one(ends):
    """Both sides of an exchange send before they receive, so the one that is ahead writes while the other reads."""
    one, two = ends
    one.send_arrays([np.full(4, 0.0)], 0)
    for number in range(1, 6):
        (held,) = two.receive_arrays()
        one.send_arrays([np.full(4, float(number))], 0)  # the next one, while the other side still reads
        assert held.tolist() == [number - 1.0] * 4
    assert two.receive_arrays()[0].tolist() == [5.0] * 4


@settings(max_examples=20)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1), st.integers(1, 3)), max_size=12))
def test_channels_and_directions_do_not_disturb_each_other(messages):
    """Each message is held until the second next one of its channel, whatever passes by the others meanwhile."""
    with pipe() as (one, two):
        held = {}
        for number, (forth, channel, length) in enumerate(messages):
            sender, receiver = (one, two) if forth else (two, one)
            sender.send_arrays([np.full(length, number)], channel)
            held[forth, channel] = [
                *held.get((forth, channel), [])[-1:],
                (number, length, receiver.receive_arrays()[0]),
            ]
            for several in held.values():
                for was, entries, array in several:
                    assert array.tolist() == [was] * entries


def test_memory_is_sent_once_for_arrays_of_one_layout(ends, monkeypatch):
    one, two = ends
    sent = []
    real = socket.send_fds
    monkeypatch.setattr(socket, "send_fds", lambda *arguments: sent.append(1) or real(*arguments))
    for shape in [(3,), (3,), (3,), (4,), (4,), (3,)]:
        one.send_arrays([np.zeros(shape)], 0)
        assert two.receive_arrays()[0].shape == shape
    assert len(sent) == 3


def test_a_message_that_comes_in_pieces_is_put_together(ends):
    one, two = ends
    receiver, sender = socket.socketpair()
    with receiver, sender:
        one.send("text")
        whole = two.end.recv(1000)
        pieces = threading.Thread(
            target=lambda: [(sender.sendall(whole[i : i + 1]), time.sleep(0.001)) for i in range(len(whole))]
        )
        pieces.start()
        assert Pipe(receiver, one.spin_seconds).receive() == "text"
        pieces.join()


# Ends


@pytest.mark.parametrize("receive", [Pipe.receive, Pipe.receive_arrays, Pipe.skip])
def test_a_failure_is_raised_wherever_the_other_waits(ends, receive):
    one, two = ends
    one.send_failure({"what": "it"})
    with pytest.raises(Failure) as caught:
        receive(two)
    assert caught.value.cause == {"what": "it"}


def test_a_failure_comes_after_what_was_sent_before(ends):
    one, two = ends
    one.send("before")
    one.send_arrays([np.ones(2)], 0)
    one.send_failure("it")
    one.close()
    assert two.receive() == "before"
    assert two.receive_arrays()[0].tolist() == [1.0, 1.0]
    with pytest.raises(Failure):
        two.receive()
    with refused(ClosedError, "the other process has ended"):
        two.receive()


def test_messages_of_all_kinds_can_be_skipped(ends):
    one, two = ends
    one.send("value")
    one.send(LARGE)
    one.send_arrays([np.ones(2)], 0)
    one.send_arrays([np.ones(2)], 0)
    one.send_arrays([], 0)
    for _ in range(5):
        two.skip()
    one.send("after")
    assert two.receive() == "after"


@pytest.mark.parametrize("receive", [Pipe.receive, Pipe.receive_arrays, Pipe.skip])
def test_an_end_is_noticed_by_who_waits(ends, receive):
    one, two = ends
    closer = threading.Timer(0.05, one.close)
    closer.start()
    with refused(ClosedError, "the other process has ended"):
        receive(two)
    closer.join()


def test_an_end_within_a_message_is_noticed(ends):
    one, two = ends
    one.send("x" * 1000)
    for length in (5, 100):  # within the header, and within what follows
        receiver, sender = socket.socketpair()
        with receiver:
            sender.sendall(two.end.recv(length, socket.MSG_PEEK))
            sender.close()
            with refused(ClosedError, "the other process has ended"):
                Pipe(receiver, one.spin_seconds).receive()


def test_an_end_with_unread_messages_is_noticed(ends):
    one, two = ends
    two.send("never read")
    one.close()
    with refused(ClosedError, "the other process has ended"):
        two.receive()


def test_an_end_is_noticed_by_who_sends(ends):
    one, two = ends
    one.close()
    for send in (lambda: two.send(LARGE), lambda: two.send_arrays(ARRAYS, 0), lambda: two.send_failure("it")):
        with refused(ClosedError, "the other process has ended"):
            send()


def test_no_descriptor_is_left():
    before = open_files()
    for closed in (False, True):
        with pipe() as (one, two):
            if closed:
                two.close()
            for _ in range(10):
                try:
                    one.send(LARGE)
                    one.send_arrays(ARRAYS, 0)
                    one.send(LARGE)
                    two.receive()
                    two.receive_arrays()
                    two.skip()
                except ClosedError:
                    continue
            kept = 0 if closed else 2  # the maps of the channel, on both sides
            assert open_files() <= before + 2 + kept
        del one, two
        assert open_files() == before
