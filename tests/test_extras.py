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


def test_estimators_without_scikit_learn_name_the_extra() -> None:
    program = "import sys; sys.modules['sklearn'] = None; import functional_nn.interop.sklearn"
    root = Path(data.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert "functional_nn.interop.sklearn needs sklearn" in done.stderr
    assert "pip install -e '.[sklearn]'" in done.stderr


def test_plots_without_matplotlib_name_the_extra() -> None:
    program = "import sys; sys.modules['matplotlib'] = None; import functional_nn.plots"
    root = Path(data.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert "functional_nn.plots needs matplotlib" in done.stderr
    assert "pip install -e '.[plots]'" in done.stderr
