"""Records: known to files by their class, without an import of the module that has them."""

from dataclasses import dataclass

import functional_nn as fnn
from functional_nn.record import Record, records


@dataclass(frozen=True)
class Own(Record):
    """A user's subclass, which no file may name without constructors=."""

    number: int


def test_the_librarys_records_are_known_by_their_public_names_alone():
    assert records() == {"functional_nn.Trained": fnn.Trained}


def test_a_users_record_is_stored_by_its_fields(tmp_path):
    fnn.save(tmp_path / "r.npz", {"a": Own(3)})
    assert fnn.load(tmp_path / "r.npz", [Own]) == {"a": Own(3)}
    assert Own.field_names() == ("number",)
    assert Own.restored(number=3) == Own(3)
