"""PyTorch and JAX are imported by the checks of their functions alone; where they are missing, the extra is named."""

import subprocess
import sys

import numpy as np
import pytest

from functional_nn.testing import check_jax, check_torch


def test_importing_the_checker_imports_no_framework():
    text = "import sys, functional_nn.testing; print(sorted({'torch', 'jax', 'hypothesis'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True, text=True)
    assert run.stdout == "[]\n"


@pytest.mark.parametrize(("check", "name"), [(check_torch, "torch"), (check_jax, "jax")])
def test_a_missing_framework_names_its_extra(check, name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"check_{name} needs {name}.*pip install -e '\.\[{name}\]'"):
        check(np.sin, np.ones(3))


def test_torch_outputs_and_arguments_that_would_not_be_checked_are_refused():
    torch = pytest.importorskip("torch")
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    with pytest.raises(TypeError, match=r"complex128: return torch\.view_as_real"):
        check_torch(lambda x: (2.0 * x, x * 1j), x)
    with pytest.raises(TypeError, match="returns no tensor of floats"):
        check_torch(torch.argmax, x)
    with pytest.raises(TypeError, match=r"\.more holds tensors that require a gradient"):
        check_torch(lambda x, more: x * more[0], x, [x])


def test_jax_outputs_that_would_not_be_checked_are_refused():
    jax = pytest.importorskip("jax")
    with pytest.raises(TypeError, match="complex128: return its real and imaginary parts"):
        check_jax(lambda x: (2.0 * x, x * 1j), np.ones(3))
    with pytest.raises(TypeError, match="returns no array of floats"):
        check_jax(jax.numpy.argmax, np.ones(3))
