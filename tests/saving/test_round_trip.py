"""What is saved comes back with the same bits, in every format."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functional_nn as fnn
from functional_nn import initializers, layers, optim
from tests.layers.cases import memory_orders
from tests.saving import table
from tests.saving.same import same
from tests.test_value import crop

DTYPES = ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", ">i4", ">f4", ">f8", ">c8")


@pytest.fixture(params=[".npz", ".safetensors"], scope="module")
def ending(request: pytest.FixtureRequest) -> str:
    if request.param == ".safetensors":
        pytest.importorskip("safetensors")
    return request.param


def there_and_back(value: Any, folder: Path, ending: str, **options: Any) -> Any:
    file = folder / f"value{ending}"
    fnn.save(file, value)
    return fnn.load(file, **options)


def test_every_public_constructor_has_a_row():
    assert table.ROWS.keys() == table.CONSTRUCTORS.keys()
    for name, constructor in table.CONSTRUCTORS.items():
        assert {value.call.constructor for value in table.ROWS[name]} == {constructor}


@pytest.mark.parametrize("name", [*table.ROWS, *table.CONSTANTS])
def test_every_public_value_comes_back(name: str, tmp_path: Path, ending: str):
    for value in table.ROWS.get(name) or (table.CONSTANTS[name],):
        assert same(value, there_and_back(value, tmp_path, ending))


@pytest.mark.parametrize("name", table.TREES)
def test_every_kind_of_tree_comes_back(name: str, tmp_path: Path, ending: str):
    assert same(table.TREES[name], there_and_back(table.TREES[name], tmp_path, ending))


@pytest.mark.parametrize("name", table.states())
def test_the_state_of_every_optimizer_comes_back_after_two_steps(name: str, tmp_path: Path, ending: str):
    assert same(table.states()[name], there_and_back(table.states()[name], tmp_path, ending))


def test_what_fit_gives_comes_back(tmp_path: Path, ending: str):
    assert same(table.result(), there_and_back(table.result(), tmp_path, ending))


@pytest.mark.parametrize("name", table.trained())
def test_a_trained_network_comes_back_and_predicts_the_same(name: str, tmp_path: Path, ending: str):
    trained = table.trained()[name]
    loaded = there_and_back(trained, tmp_path, ending)
    assert same(trained, loaded)
    x = np.zeros((2, *trained.input_shape), np.int64 if name == "integers" else trained._example().dtype)
    assert same(trained.predict(x), loaded.predict(x))


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=())),
    st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0))),
    hnp.arrays(np.float32, hnp.array_shapes(max_dims=4)).flatmap(memory_orders),
    hnp.from_dtype(np.dtype("f4")),
)
keys = st.text(max_size=5) | st.sampled_from(["a", "b", "a.b", "w"])
trees = st.recursive(
    leaves,
    lambda children: st.one_of(
        st.lists(children, max_size=4),
        st.lists(children, max_size=4).map(tuple),
        st.dictionaries(keys, children, max_size=4),
        st.dictionaries(st.integers(), children, max_size=3),
        st.builds(table.Pair, children, children),
    ),
    max_leaves=12,
)


@given(tree=trees)
def test_any_tree_comes_back(tmp_path_factory: pytest.TempPathFactory, ending: str, tree: Any):
    folder = tmp_path_factory.getbasetemp()
    assert same(tree, there_and_back(tree, folder, ending, constructors=[table.Pair]))


@given(bits=st.binary(min_size=16, max_size=16), dtype=st.sampled_from(["f2", "f4", "f8", "c8"]))
def test_any_bits_of_floats_come_back(tmp_path_factory: pytest.TempPathFactory, ending: str, bits: bytes, dtype: str):
    array = np.frombuffer(bits, dtype)
    assert same([array, array[0]], there_and_back([array, array[0]], tmp_path_factory.getbasetemp(), ending))


def test_complex128_comes_back_from_npz_and_is_refused_by_safetensors(tmp_path: Path):
    array = np.array([1 + 2j, -0.0 - 1j])
    assert same(array, there_and_back(array, tmp_path, ".npz"))
    pytest.importorskip("safetensors")
    with pytest.raises(TypeError, match=r"value is complex128, which \.safetensors does not hold: save to \.npz"):
        fnn.save(tmp_path / "x.safetensors", array)


def test_what_is_loaded_can_be_written_to_and_lies_in_rows(tmp_path: Path, ending: str):
    loaded = there_and_back([np.arange(6.0).reshape(2, 3).T, np.zeros(3, ">f4")], tmp_path, ending)
    for array in loaded:
        array += 1
        assert array.flags.c_contiguous
        assert array.dtype.isnative


def test_other_programs_read_the_arrays(tmp_path: Path):
    params = {"c1": {"w": np.arange(6.0).reshape(2, 3).T}}
    fnn.save(tmp_path / "p.npz", params)
    with np.load(tmp_path / "p.npz") as loaded:
        np.testing.assert_array_equal(loaded["c1.w"], params["c1"]["w"])
    safetensors = pytest.importorskip("safetensors.numpy")
    fnn.save(tmp_path / "p.safetensors", params)  # 0.8 scrambles an array that does not lie in rows
    np.testing.assert_array_equal(safetensors.load_file(tmp_path / "p.safetensors")["c1.w"], params["c1"]["w"])


def test_the_same_value_gives_the_same_file(tmp_path: Path, ending: str):
    for name in ("a", "b"):
        fnn.save(tmp_path / f"{name}{ending}", table.trained()["images"])
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


def test_a_memory_map_is_saved(tmp_path: Path, ending: str):
    np.save(tmp_path / "a.npy", np.arange(4.0))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert same(mapped, there_and_back(mapped, tmp_path, ending))


def test_upper_case_endings_and_strings_are_paths_too(tmp_path: Path):
    fnn.save(os.fspath(tmp_path / "A.NPZ"), 1)
    assert fnn.load(os.fspath(tmp_path / "A.NPZ")) == 1


def scaled(rng, shape, scale=1.0):
    return np.full(shape, scale, np.float32)


def halving(step: int) -> float:
    return 0.5**step


@fnn.constructor
def wide(inner: fnn.Layer, units: int = 2) -> fnn.Layer:
    return fnn.serial(i=inner, d=layers.dense(units, w_init=partial(scaled, scale=3.0)))


SUBSAMPLING = dict(fnn.models.lenet5_1998().parts)["s2"]
OWN = {
    "a constructor": (crop(2), [crop]),
    "within a model": (fnn.serial(c=crop(1), r=fnn.residual(crop(3))), [crop]),
    "of others": (wide(crop(2), units=5), [wide, crop]),
    "an initializer": (layers.dense(3, w_init=scaled), [scaled]),
    "a partial": (layers.dense(3, w_init=partial(scaled, scale=np.float32(0.1))), [scaled]),
    "a schedule": (optim.sgd(halving), [halving]),
    "a named tuple": (table.Pair({"a": np.zeros(2)}, fnn.optim.trace(0.5)), [table.Pair]),
    "not public": (SUBSAMPLING, [SUBSAMPLING.call.constructor]),
}


@pytest.mark.parametrize("name", OWN)
def test_a_users_own_come_back_with_constructors(name: str, tmp_path: Path, ending: str):
    value, own = OWN[name]
    assert same(value, there_and_back(value, tmp_path, ending, constructors=own))
    missing = own[0].__name__
    with pytest.raises(
        ValueError, match=rf"value{ending}: it needs .*{missing}.*load\(path, constructors=\[.*{missing}"
    ):
        fnn.load(tmp_path / f"value{ending}")


def test_a_constructor_that_moved_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fnn.save(tmp_path / "v.npz", crop(2))
    monkeypatch.setattr(crop, "__module__", "elsewhere")
    assert fnn.load(tmp_path / "v.npz", [crop]) == crop(2)


def test_initializers_draw_the_same_after_loading(tmp_path: Path):
    drawing = [name for name in initializers.__all__ if name != "fans"]
    model = fnn.serial(**{name: layers.dense(3, w_init=getattr(initializers, name)) for name in drawing})
    loaded = there_and_back(model, tmp_path, ".npz")
    assert same(model.init(np.random.default_rng(0), (4,)), loaded.init(np.random.default_rng(0), (4,)))
