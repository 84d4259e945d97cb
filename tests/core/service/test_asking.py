"""What may be asked of a verb, and how a file is said to be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.records import Reading
from pipeline_core.service.asking import READING, Option, Verb, reading_of

ASKED = Verb(
    summary="a verb",
    run=lambda _store, _call: {},
    file="optional",
    options={
        "by": Option(help="who", required=True),
        "rows": Option(kind="whole", help="how many"),
        "set": Option(kind="pairs", help="settings"),
        "order": Option(help="which", choices=("up", "down")),
    },
)


def test_what_was_said_about_reading_becomes_a_reading() -> None:
    said = {
        "encoding": "cp949",
        "date-order": "dmy",
        "header": "no",
        "names": ["a", "b"],
        "null": ["-200"],
        "by": "Ada",
    }
    assert reading_of(said) == Reading(
        encoding="cp949", date_order="dmy", header=False, names=("a", "b"), nulls=("-200",)
    )
    assert reading_of({"header": "yes"}) == Reading(header=True)
    assert reading_of({}) == Reading()


def test_every_way_of_reading_can_be_said() -> None:
    one = {
        name: ["x"] if option.kind == "names" else next(iter(option.choices), "x") for name, option in READING.items()
    }
    assert all(getattr(reading_of(one), field) for field in ("encoding", "delimiter", "decimal", "date_order", "sheet"))
    assert reading_of(one).nulls == reading_of(one).names == ("x",)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"by": "Ada", "rows": "3"}, "'rows' is '3'; it must be of the kind whole"),
        ({"by": "Ada", "rows": True}, "must be of the kind whole"),
        ({"by": "Ada", "set": ["a"]}, "must be of the kind pairs"),
        ({"by": "Ada", "order": "dwon"}, "Did you mean 'down'"),
        ({}, "--by is missing: who"),
        ({"by": "\udcff"}, "not valid Unicode"),
    ],
)
def test_an_argument_that_does_not_fit_is_refused(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidDefinition, match=sentence):
        ASKED.check("m", arguments, file=None)


def test_model_file_and_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InvalidDefinition, match="about one model and none was named"):
        ASKED.check(None, {"by": "Ada"}, file=None)
    with pytest.raises(InvalidDefinition, match="There is no file"):
        ASKED.check("m", {"by": "Ada"}, file=tmp_path / "none.csv")
    with pytest.raises(NotFound, match="'orders' is not known here"):
        ASKED.check("m", {"by": "Ada", "orders": "up"}, file=None)
    ASKED.check("m", {"by": "Ada", "set": {"query": "SELECT 1, 2"}}, file=None)
