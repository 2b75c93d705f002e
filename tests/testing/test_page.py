"""The examples of docs/check-a-gradient.md print what the page says; those of other libraries run in tests/oracles."""

from pathlib import Path

import pytest

from tests.pages import agree, outputs, peers, sections

PAGE = sections(Path(__file__).parents[2] / "docs" / "check-a-gradient.md")


@pytest.mark.parametrize("heading", [heading for heading, text in PAGE.items() if not peers(text)])
def test_examples_print_what_the_page_says(heading):
    for said, done in outputs(PAGE[heading]):
        assert agree(said, done), done


def test_texts_agree_but_for_the_last_digits_of_numbers():
    assert agree("x[1]: 0.123456789, step 2e-07)", "x[1]: 0.123456788, step 8e-07)")
    assert not agree("x[1]: 0.1234", "x[1]: 0.1235")
    assert not agree("x[1]", "x[2]")
    assert not agree("", "something")
    assert not agree("1 2", "1")
