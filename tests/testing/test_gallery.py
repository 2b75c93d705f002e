"""Famous wrong backwards are found, their right forms pass, and the docs show the checker's very words."""

from pathlib import Path

import pytest

from functional_nn.testing import GradientError
from tests.docs.pages import without_last_digits
from tests.testing import gallery

PAGE = Path(__file__).parents[2] / "docs" / "check-a-gradient.md"


@pytest.mark.parametrize("f", gallery.POINTS, ids=lambda f: f.__name__)
def test_the_wrong_backward_is_found_and_the_right_one_passes(f):
    if f is gallery.max_pool:  # its point is a tie, where differences cannot confirm a right one
        with pytest.raises(GradientError, match="kink within the step"):
            gallery.check(f, "right")
    else:
        gallery.check(f, "right")
    assert gallery.words(f).splitlines()[0].endswith(": wrong derivative")


def test_the_docs_show_the_gallery_as_it_is():
    shown = PAGE.read_text(encoding="utf-8").partition("## Famous wrong backwards\n")[2]
    assert without_last_digits(shown[shown.index("**") :]) == without_last_digits(gallery.page())
