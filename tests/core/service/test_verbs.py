"""The one table of verbs: what it takes, what it refuses, and when the answer is no."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.records import AlertLevel, BatchStatus, Decision, TimeUnit
from pipeline_core.service import lines
from pipeline_core.service.host import Host
from pipeline_core.service.verbs import VERBS, Answer, carry_out, in_own_unit, verb_named
from tests.core.service.conftest import DEFINE, Files


def silent(_share: float, _message: str) -> None:
    return


def do(held: Host, verb: str, *, file: Path | None = None, model: str | None = "loans", **arguments: Any) -> Answer:
    answer = carry_out(held.store, verb, model, arguments=arguments, file=file, progress=silent)
    read = lines.lines(verb, answer.content)
    assert read
    assert all(isinstance(line, str) and "None" not in line for line in read), read
    return answer


def test_the_verbs_are_those_of_the_product() -> None:
    assert set(VERBS) == {
        "baseline", "define", "receive", "readmit", "discard", "restore", "train", "challenge", "shadow", "promote", "rollback", "score", "labels", "check", "replay", "lineage", "card", "dataset", "datasets", "demo",
        "status", "source add", "source list", "source run", "source change", "source remove", "reject", "retire", "audit list",
        "audit verify", "audit mend",
    }  # fmt: skip
    assert {name for name, verb in VERBS.items() if verb.long} == {
        "train",
        "challenge",
        "shadow",
        "check",
        "replay",
        "demo",
        "source run",
    }


def test_an_unknown_verb_names_the_nearest() -> None:
    with pytest.raises(NotFound, match="Did you mean 'receive'"):
        verb_named("recieve")


@pytest.mark.parametrize(
    ("verb", "model", "arguments", "said"),
    [
        ("train", None, {}, "none was named"),
        ("receive", "m", {}, "none was given"),
        ("train", "m", {"estimatr": "x"}, "Did you mean 'estimator'"),
        ("promote", "m", {"version": "1", "by": "Ada", "reason": "x"}, "kind whole"),
        ("promote", "m", {"version": True, "by": "Ada", "reason": "x"}, "kind whole"),
        ("promote", "m", {"version": 1, "reason": "x"}, "--by is missing"),
        ("promote", "m", {"version": 1, "by": "", "reason": "x"}, "--by is missing"),
        ("rollback", "m", {"by": "Ada"}, "--reason is missing"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(verb: str, model: str | None, arguments: Any, said: str) -> None:
    with pytest.raises((InvalidDefinition, NotFound), match=said):
        VERBS[verb].check(model, arguments, file=None)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDefinition, match="There is no file"):
        VERBS["receive"].check("m", {}, file=tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("verb", "record", "no"),
    [
        ("receive", SimpleNamespace(status=BatchStatus.ACCEPTED), False),
        ("receive", SimpleNamespace(status=BatchStatus.QUARANTINED), True),
        ("define", SimpleNamespace(batch=SimpleNamespace(status=BatchStatus.QUARANTINED)), True),
        ("challenge", SimpleNamespace(verdict=Decision.PROMOTE), False),
        ("challenge", SimpleNamespace(verdict=Decision.KEEP), True),
        ("challenge", SimpleNamespace(verdict=Decision.INSUFFICIENT), True),
        ("check", SimpleNamespace(windows=[SimpleNamespace(alert=AlertLevel.WATCH)]), False),
        ("check", SimpleNamespace(windows=[SimpleNamespace(alert=AlertLevel.PAGE)]), True),
        ("status", {}, False),
    ],
)
def test_when_the_answer_is_no(verb: str, record: object, no: bool) -> None:
    assert VERBS[verb].no(record) is no


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"version": 2, "stop": True}, "both were given"),
        ({"by": "Ada"}, "but not what to do"),
        ({"version": 2}, "a name and a reason"),
    ],
)
def test_a_shadow_is_asked_for_clearly(champion: Host, arguments: dict[str, Any], said: str) -> None:
    do(champion, "train", estimator="logistic_regression")
    with pytest.raises(InvalidDefinition, match=said):
        do(champion, "shadow", **arguments)


def test_event_times_are_told_in_the_users_own_unit() -> None:
    content = {"windows": [{"start": "1970-01-11T00:00:00Z", "end": "1970-01-11T12:00:00Z"}], "at": "2025-01-01"}
    assert in_own_unit(content, TimeUnit.DAY) == {"windows": [{"start": 10, "end": 10.5}], "at": "2025-01-01"}
    assert in_own_unit({"until": "1970-01-01T00:00:42Z"}, TimeUnit.ROW) == {"until": 42}
    assert in_own_unit({"until": None}, TimeUnit.ROW) == {"until": None}


def test_the_loop_by_verbs(held: Host, files: Files) -> None:
    defined = do(held, "define", file=files.first, **DEFINE)
    assert (defined.code, defined.content["batch"]["rows"]) == (0, 800)
    trained = do(held, "train", estimator="logistic_regression")
    assert (trained.code, trained.content["version"]) == (0, 1)
    assert trained.content["dataset"]["first_event_at"] == 1000
    assert do(held, "promote", version=1, by="Ada", reason="first").content["version"] == 1
    scored = do(held, "score", file=files.later)
    assert (scored.code, scored.content["rows"]) == (0, 300)
    assert scored.predictions is not None
    assert scored.predictions.column_names == ["row_id", "prediction", "score"]
    assert scored.predictions["row_id"][0].as_py() == "L02000"
    labelled = do(held, "labels", file=files.truth)
    assert (labelled.content["new_rows"], labelled.content["matched_predictions"]) == (300, 300)
    checked = do(held, "check", window="7d")
    assert checked.code == int(any(w["alert"] == "page" for w in checked.content["windows"]))
    assert isinstance(checked.content["windows"][0]["start"], int | float)
    assert do(held, "lineage").content["promoted_by"] == "Ada"
    second = do(held, "train", estimator="logistic_regression")
    assert second.content["version"] == 2
    assert do(held, "challenge").content["verdict"] in {"promote", "keep", "insufficient"}
    started = do(held, "shadow", version=2, by="Ada", reason="before it goes out")
    assert (started.code, started.content["rows"], started.content["shadow"]["started_by"]) == (0, 0, "Ada")
    again = do(held, "score", batch=scored.content["batch_id"])
    assert (again.code, again.content) == (0, scored.content | {"already_scored": True})
    beside = do(held, "shadow").content
    assert (beside["version"], beside["champion"], beside["errors"]) == (2, 1, 0)
    assert do(held, "shadow", stop=True).content["shadow"]["ended_at"] is not None
    assert do(held, "receive", file=files.broken).code == 1
    assert [m["model"] for m in do(held, "status", model=None).content["models"]] == ["loans"]
    other = do(held, "lineage", version=2).content
    assert (other["stage"], other["promotion"], other["dataset"]["dataset_id"]) == ("challenger", None, "d-2")
    verified = do(held, "lineage", version=1, verify=True)
    assert (verified.code, verified.content["agrees"]) == (0, True)
    assert {link["link"] for link in verified.content["links"]} >= {"batches", "dataset", "run", "version", "promotion"}
    made = do(held, "dataset", since="1005", batches=["b-0001"]).content
    assert (made["dataset_id"], made["since"], made["asked"]) == ("d-3", 1005, ["b-0001"])
    listed = do(held, "datasets").content["datasets"]
    assert [(kept["dataset_id"], kept["versions"]) for kept in listed] == [("d-3", []), ("d-2", [2]), ("d-1", [1])]
    assert do(held, "card", version=2).content["title"] == "Model card: loans, version 2 (challenger)"
    held.store._database.run("UPDATE labels SET value = value || 'x' WHERE row_id = (SELECT min(row_id) FROM labels)")
    assert do(held, "lineage", verify=True).code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"types": {"income": "foo"}}, "'foo'. There are: 'category', 'number', 'timestamp'."),
        ({"types": {"income": ["number"]}}, "must be of the kind types"),
        ({"protected": ["town", 3]}, "must be of the kind names"),
        ({"exclude": [["town"]]}, "must be of the kind names"),
        ({"task": "regresion"}, "Did you mean 'regression'?"),
        ({"source": "\udcff"}, "is not valid Unicode"),
        ({"protected": ["\udcff"]}, "is not valid Unicode"),
    ],
)
def test_what_stands_inside_an_argument_is_checked_too(tmp_path: Path, arguments: dict[str, Any], said: str) -> None:
    file = tmp_path / "x.csv"
    file.touch()
    with pytest.raises(InvalidDefinition) as caught:
        verb_named("define").check("loans", {"target": "late", **arguments}, file=file)
    assert said in caught.value.message


def test_check_says_what_windows_are_compared_with() -> None:
    assert "the training data or its same season, unless chosen" in VERBS["check"].summary
