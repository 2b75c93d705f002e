"""The layout's rules: imports point one way, the public names are those that `dir` shows, heavy imports wait."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import functional_nn as fnn

PACKAGE = Path(fnn.__file__).parent
# Each may import those on the lines above its own, and what stands on its own line.
LEVELS = [
    ("arguments", "nodes"),
    ("keys", "content", "errors", "extras", "tree", "blas", "allocator", "dtypes", "files", "npz", "record"),
    ("value", "layer_checks"),
    ("parallel",),
    ("layer", "optim"),
    ("loss", "initializers", "result"),
    ("layers", "losses"),
    ("compose", "data", "answers"),
    ("models", "anatomy"),
    ("saving",),
    ("training",),
    ("trained",),
    ("testing",),
    ("plots",),
    ("interop",),
    ("cli",),
    ("__main__",),
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}


def imports(path: Path) -> set[str]:
    """The modules of functional_nn that a file imports, by the first name below the package."""
    return imports_of(path.read_text(encoding="utf-8"))


def imports_of(text: str) -> set[str]:
    paths: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import: import by the whole path"
            paths += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            paths += [alias.name for alias in node.names]
    return {path.split(".")[1] for path in paths if path.startswith("functional_nn.")}


def test_every_form_of_import_is_seen():
    forms = ["from functional_nn import tree", "from functional_nn.tree import map", "import functional_nn.tree as t"]
    assert [imports_of(form) for form in [*forms, "def f():\n    " + forms[0]]] == [{"tree"}] * 4
    assert imports_of("import numpy\nfrom functional_nnx.tree import map") == set()


def test_every_module_has_a_level():
    modules = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if path.suffix in ("", ".py")}
    assert modules - {"__init__", "__pycache__", "py"} == set(LEVEL)


@pytest.mark.parametrize("module", sorted(LEVEL))
def test_imports_point_one_way(module):
    paths = [PACKAGE / f"{module}.py"] if (PACKAGE / f"{module}.py").is_file() else (PACKAGE / module).rglob("*.py")
    for path in paths:
        for name in imports(path) - {module}:
            assert LEVEL[name] <= LEVEL[module], f"{path.relative_to(PACKAGE)} imports {name}, which stands above it"


def test_dir_shows_the_public_names_and_nothing_else():
    assert dir(fnn) == sorted([*fnn.__all__, "__version__"])
    for name in fnn.__all__:
        assert getattr(fnn, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'lenet5'"):
        fnn.lenet5  # noqa: B018


def test_the_version_is_that_of_the_installed_package():
    from importlib.metadata import version

    assert fnn.__version__ == version("functional-nn")


def test_importing_the_package_loads_nothing_that_only_some_users_need():
    heavy = {"hypothesis", "matplotlib", "sklearn", "PIL", "safetensors", "tqdm", "torch", "jax", "onnx"}
    heavy |= {"cloudpickle", "mpi4py"}
    heavy |= {"functional_nn.testing", "functional_nn.interop"}
    text = f"import sys, functional_nn; print(sorted({heavy!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True, text=True)
    assert run.stdout.strip() == "[]"


def test_a_result_prints_in_a_few_lines():
    model = fnn.models.lenet5()
    params = model.init(np.random.default_rng(0), (32, 32, 1))
    state = fnn.optim.adam(1e-3).init(params)
    printed = repr(fnn.FitResult(params, state, [{"epoch": 1, "loss": 0.25, "accuracy": 0.5}]))
    assert len(printed.splitlines()) == 5
    assert "params: 61,706 numbers in 10 leaves: c1.b, c1.w, c3.b, ..., f7.b, f7.w" in printed
    assert "history: 1 epoch; the last: loss 0.25, acc 0.5" in printed
