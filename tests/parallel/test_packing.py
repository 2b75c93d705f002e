"""Values as bytes and shared memory: what comes out has the same content, and the same order in memory."""

from __future__ import annotations

import errno
import os
import re
import tempfile
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functional_nn as fnn
from functional_nn import layers, losses
from functional_nn.parallel.flat import compact, layout_of, row_major
from functional_nn.parallel.packing import Memory, packed, packed_task, unpacked
from tests.parallel.leftovers import open_files
from tests.refusals import refused

RNG = np.random.default_rng(0)
WEIGHTED = losses.weighted_targets(RNG.integers(0, 9, 4), RNG.uniform(1, 2, 4)).dtype
DTYPES = [np.float32, np.float64, np.int64, np.uint8, np.bool_, np.complex64, "U3", "M8[s]", ">f4", WEIGHTED]
AXES = [(), (0,), (3,), (1, 4), (5, 1, 2), (3, 4, 2), (2, 0, 3), (2, 3, 2, 3), (40, 30, 20)]


@st.composite
def arrays(draw, dtypes=tuple(DTYPES)):
    """An array of any dtype and shape, whose axes lie in any order in memory, with gaps, backwards or repeated."""
    dtype, shape = np.dtype(draw(st.sampled_from(dtypes))), draw(st.sampled_from(AXES))
    entries = np.random.default_rng(draw(st.integers(0, 99))).bytes(dtype.itemsize * int(np.prod(shape)))
    if dtype == np.dtype("U3"):
        array = np.asarray(np.frombuffer(entries[: int(np.prod(shape))], np.uint8).reshape(shape)).astype(dtype)
    else:
        array = np.frombuffer(bytearray(entries), dtype).reshape(shape)
    array = array.transpose(draw(st.permutations(range(array.ndim))))
    for axis in range(array.ndim):
        way = draw(st.sampled_from(["whole", "gaps", "backwards"]))
        step = {"whole": 1, "gaps": 2, "backwards": -1}[way]
        array = array[(slice(None),) * axis + (slice(None, None, step),)]
    if draw(st.booleans()):
        array = array.copy(order=draw(st.sampled_from("CFK")))
    if array.ndim and draw(st.booleans()):
        array = np.broadcast_to(array, (3, *array.shape))
    array.flags.writeable = array.flags.writeable and draw(st.booleans())
    return array


def passed(pack):
    """What the other process gets: a message brings it a descriptor of its own."""
    head, layout, memory, _ = pack
    value = unpacked(head, layout, [] if memory is None else [os.dup(memory.descriptor)])
    if memory is not None:
        memory.close()
    return value


def same_in_memory(a, b):
    """Equal bits, and axes in the same order in memory."""
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    assert a.tobytes() == b.tobytes()
    if a.size:
        dense = a if a.flags.forc else a.copy(order="K")
        strides = [(x.strides[axis] for axis in range(x.ndim) if x.shape[axis] > 1) for x in (dense, b)]
        if 0 not in a.strides:
            assert list(strides[0]) == list(strides[1])


@given(arrays(), st.sampled_from([1, 1 << 10, 1 << 16]))
def test_arrays_come_out_in_the_same_order_in_memory(array, least_shared):
    for pack in (packed({"a": [array]}, least_shared=least_shared), packed_task({"a": [array]})):
        same_in_memory(array, passed(pack)["a"][0])


@given(st.lists(arrays(), min_size=1, max_size=4), st.integers(1, 2))
def test_memory_has_room_for_each_array_and_each_copy(several, copies):
    memory = Memory(layout_of(several), copies=copies)
    theirs = Memory(memory.layout, os.dup(memory.descriptor), copies=copies)
    for copy in range(copies):
        for target, source in zip(memory.copies[copy], several, strict=True):
            target[...] = source
        for array, source in zip(theirs.copies[copy], several, strict=True):
            same_in_memory(source, array)
            assert not array.flags.writeable
            assert array.__array_interface__["data"][0] % 64 == 0
    for array in memory.copies[-1]:
        array[...] = np.zeros((), array.dtype)
    for array, source in zip(memory.copies[0], several, strict=True):
        same_in_memory(source if copies == 2 else np.zeros_like(source), array)  # the second has overwritten nothing
    memory.close()
    theirs.close()


@settings(max_examples=10)
@given(arrays(dtypes=(np.float32, WEIGHTED)))
def test_row_major_order_is_that_of_all_ranks(array):
    """Arrays with gaps, backwards or repeated have a layout of their own here, and another one elsewhere."""
    here, there = row_major(array), row_major(passed(packed(array)))
    assert here.flags.c_contiguous
    assert there.flags.c_contiguous
    assert here.tobytes() == there.tobytes()


@given(arrays(), st.integers(0, 2))
def test_a_part_without_gaps_has_the_order_that_it_has_in_a_copy(array, start):
    array = np.atleast_1d(array)
    copies = [array, passed(packed(array)), passed(packed_task(array))]
    here, *there = parts = [compact(copy[start:]) for copy in copies]
    strides = [[part.strides[axis] for axis in range(part.ndim) if part.shape[axis] > 1] for part in parts]
    for part in parts:
        assert part.tobytes() == array[start:].tobytes()
        assert not part.size or part.transpose(np.argsort([-step for step in part.strides])).flags.c_contiguous
    if here.size:
        assert strides[1:] == strides[:1] * len(there)


def test_what_is_no_plain_array_is_left_as_it_is():
    for leaf in (np.ma.masked_array([1.0], [True]), np.float64(1.0), 2.5, None):
        assert row_major(leaf) is leaf
        assert compact(leaf) is leaf
    assert type(row_major(np.asfortranarray(np.ones((2, 3))))) is np.ndarray


def test_large_arrays_lie_in_shared_memory_once_and_what_is_written_to_them_stays_here():
    large, small = np.arange(1 << 14, dtype=np.float32), np.arange(3)
    pack = packed((large, small, large))
    assert len(pack.head) < 1000
    assert [shape for shape, _, _ in pack.layout] == [(1 << 16,)]
    one, two, three = passed(pack)
    assert one is three
    np.testing.assert_array_equal(one, large)
    np.testing.assert_array_equal(two, small)
    one[:] = 7.0
    np.testing.assert_array_equal(pack.memory.copies[0][0].view(np.float32), large)
    assert packed(large[1:]).memory is None  # four bytes fewer


def test_arrays_of_objects_pass_by_their_values_alone():
    texts = np.array(["a", None, "long"], object)
    assert passed(packed(texts)).tolist() == texts.tolist()
    assert passed(packed_task(texts)).tolist() == texts.tolist()
    remedy = "convert it to numbers or to text of one length, such as dtype U8"
    with refused(TypeError, f"an array of dtype object holds addresses, which no other process knows: {remedy}"):
        layout_of([texts])


# Memory maps


def mapped(folder, mode="r", entries=60, offset=0, shape=(20, 3)):
    path = folder / "x.bin"
    if not path.exists():
        np.arange(entries, dtype=np.float32).tofile(path)
    return np.memmap(path, np.float32, mode, offset, shape)


VIEWS = {
    "whole": lambda x: x,
    "rows": lambda x: x[3:9],
    "rows of rows": lambda x: x[3:9][2:4],
    "last row": lambda x: x[-1],
    "reshaped": lambda x: x.reshape(10, 6)[1:],
    "a view as integers": lambda x: x[2:].view(np.int32),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("offset", [0, 24])
def test_a_memory_map_passes_as_the_name_of_its_file(tmp_path, view, offset):
    x = VIEWS[view](mapped(tmp_path, entries=66, offset=offset))
    pack = packed_task(x)
    assert pack.memory is None
    assert len(pack.head) < 500
    y = passed(pack)
    assert type(y) is np.memmap
    np.testing.assert_array_equal(y, x, strict=True)
    assert not y.flags.writeable


def test_large_maps_are_not_copied(tmp_path):
    x = mapped(tmp_path, entries=1 << 16, shape=(1 << 12, 16))
    for pack in (packed_task(x), packed_task(x[5:]), packed(x)):
        assert pack.memory is None
        assert len(pack.head) < 500


def test_a_part_keeps_the_order_of_its_axes():
    innermost = np.zeros((4, 5, 6, 32)).transpose(3, 0, 1, 2)  # the batch
    part = compact(innermost[8:16])
    assert part.transpose(1, 2, 3, 0).flags.c_contiguous


def test_a_part_of_a_memory_map_is_a_plain_array(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(12.0).reshape(3, 4))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    for part in (x[1:], x[:, 1:], x.T):
        assert type(compact(part)) is np.ndarray
        np.testing.assert_array_equal(compact(part), part)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_of_numpys_own_is_mapped_too(tmp_path, order):
    np.save(tmp_path / "x.npy", np.asarray(np.arange(12.0).reshape(3, 4), order=order))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    y = passed(packed_task((x, x[1:])))
    for mine, theirs in zip((x, x[1:]), y, strict=True):
        same_in_memory(np.array(mine), np.asarray(theirs))
        assert (type(theirs) is np.memmap) == (order == "C")


@pytest.mark.parametrize(
    "view", [lambda x: x.T, lambda x: x[::2], lambda x: x[:, 1:], lambda x: x[4:4], lambda x: x + 1]
)
def test_what_is_no_run_of_a_file_passes_by_its_values(tmp_path, view):
    x = view(mapped(tmp_path))
    y = passed(packed_task(x))
    assert type(y) is np.ndarray
    same_in_memory(np.array(x), y)


def test_what_is_written_to_a_private_map_passes_too(tmp_path):
    x = mapped(tmp_path, "c")
    x[0] = 99.0
    np.testing.assert_array_equal(passed(packed_task(x)), np.array(x), strict=True)
    np.testing.assert_array_equal(passed(packed_task(x[:2])), np.array(x[:2]), strict=True)
    assert mapped(tmp_path)[0, 0] == 0.0


def test_what_is_written_to_a_shared_map_passes_without_a_flush(tmp_path):
    x = mapped(tmp_path, "r+")
    x[0] = 99.0
    assert passed(packed_task(x))[0].tolist() == [99.0] * 3


def test_a_map_without_a_name_passes_by_its_values():
    with tempfile.TemporaryFile() as file:
        x = np.memmap(file, np.float32, "w+", shape=(4,))
        x[:] = 5.0
        assert passed(packed_task(x)).tolist() == [5.0] * 4


# Functions and values


def test_functions_that_no_other_process_can_import_pass_by_value():
    weights = np.arange(3.0)

    @fnn.constructor
    def scaled_by(factors, function):
        def vjp(params, x, *, key=None, wrt_x=True):
            return function(factors * x), lambda dy: ({}, factors * dy if wrt_x else None)

        return fnn.Layer("scaled_by", vjp=vjp)

    layer = scaled_by(weights, lambda x: x + 1.0)
    model = fnn.serial(a=layer, b=layers.dense(2))
    theirs, function = passed(packed_task((model, lambda x: x @ weights)))
    x = np.ones((2, 3))
    np.testing.assert_array_equal(theirs.call.arguments["parts"]["a"].apply({}, x), layer.apply({}, x))
    np.testing.assert_array_equal(function(x), x @ weights)
    assert repr(theirs.call.arguments["parts"]["b"]) == "dense(2)"


@pytest.mark.parametrize(
    ("thing", "why"),
    [
        (threading.Lock, "cannot pickle '_thread.lock' object"),
        (lambda: (i for i in range(3)), "cannot pickle 'generator' object"),
        (lambda: fnn.processes(2), "processes(2): processes belong to the one that started them and cannot be pickled"),
    ],
)
def test_what_does_not_pickle_is_refused_with_what_to_do(thing, why, two):
    own = thing()
    kinds = "functions, layers, losses and arrays can, locks, open files and generators cannot"
    with refused(TypeError, f"processes(2): an argument cannot go to another process: {why}; {kinds}"):
        fnn.predict(layers.relu, {}, np.ones((4, 2)), transform=lambda x, key: (own, x)[1], comm=two)
    np.testing.assert_equal(fnn.predict(layers.relu, {}, np.ones((4, 2)), comm=two), np.ones((4, 2)))


# Shared memory


def test_memory_takes_one_descriptor_until_it_is_closed_and_lives_on():
    before = open_files()
    memory = Memory(layout_of([np.ones(3)]))
    array = memory.copies[0][0]
    array[...] = 5.0
    memory.close()
    assert open_files() == before + 1  # the map's own
    assert array.tolist() == [5.0] * 3
    del memory, array
    assert open_files() == before


@pytest.mark.parametrize("named", [True, False])
def test_where_the_system_has_no_nameless_memory_a_file_without_a_name_serves(monkeypatch, tmp_path, named):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("functional_nn.parallel.packing.SHARED_FOLDER", tmp_path if named else tmp_path / "absent")
    array = RNG.standard_normal((300, 100))
    pack = packed(array)
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(passed(pack), array)


def test_where_there_is_no_room_the_error_says_how_much_was_needed(monkeypatch):
    def full(descriptor, offset, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    message = "80,064 bytes of shared memory are not to be had: No space left on device"
    for pack in (packed, packed_task):
        with pytest.raises(OSError, match=re.escape(message)) as caught:
            pack(np.ones(10_000))
        assert caught.value.errno == errno.ENOSPC
