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
