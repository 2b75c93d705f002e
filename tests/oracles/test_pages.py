"""The examples of docs/check-a-gradient.md that use other libraries run and print what the page says."""

from pathlib import Path

import pytest

from tests.oracles.peers import peer
from tests.pages import PEERS, agree, outputs, peers, sections

PAGE = sections(Path(__file__).parents[2] / "docs" / "check-a-gradient.md")


@pytest.mark.parametrize("heading", [heading for heading, text in PAGE.items() if peers(text)])
@pytest.mark.filterwarnings("default")  # what other libraries warn of is theirs
def test_examples_print_what_the_page_says(heading):
    for name in peers(PAGE[heading]):
        peer(name)
    for said, done in outputs(PAGE[heading]):
        assert agree(said, done), done


def test_every_library_has_its_section():
    assert {name for text in PAGE.values() for name in peers(text)} == set(PEERS)
