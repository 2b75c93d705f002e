from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from functional_nn import data


@pytest.mark.parametrize("missing", ["PIL", "sklearn.datasets"])
def test_a_missing_dependency_names_the_extra(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # as if it were not installed
    with pytest.raises(ImportError, match=rf"needs {missing}.*pip install -e '\.\[experiments\]'"):
        data.digits()


def test_a_list_of_images_without_pillow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("train", "val", "test"):
        (tmp_path / f"{name}.txt").write_text("a.jpg 0\n")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"decoding images needs PIL.*pip install -e '\.\[experiments\]'"):
        data.image_list(tmp_path)


def test_importing_the_library_imports_no_optional_dependency() -> None:
    program = "import functional_nn.data, sys; print(sorted({'PIL', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    root = Path(data.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("package", "module", "extra"),
    [
        ("matplotlib", "functional_nn.plots", "plots"),
        ("sklearn", "functional_nn.interop.sklearn", "sklearn"),
        ("onnx", "functional_nn.interop.onnx", "onnx"),
    ],
)
def test_a_module_without_its_package_names_the_extra(package: str, module: str, extra: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; import {module}"
    root = Path(data.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert f"{module} needs {package}" in done.stderr
    assert f"pip install -e '.[{extra}]'" in done.stderr
