"""What all pages say alike about a verdict: passed barely, waits for a person, came from another epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.release import reads as shelves
from pages.ui import release_charts, verdicts
from pages.ui.wording import State
from pages.watch import reads, words
from pipeline_core.flows import watch
from pipeline_core.records import BatchStatus, Comparison, Decision, Measured, NotMeasured, Promotion, Verdict
from pipeline_core.store import Store
from tests.pages import loans
from tests.pages.conftest import batch, fill, version

Visit = Callable[..., AppTest]
NOW = datetime(2025, 6, 1, tzinfo=UTC)
DOUBT = "The interval of AUC includes 0.500: it may be no better than chance."


def first_verdict(*, low: float) -> Verdict:
    none = NotMeasured(reason="there is no champion to compare with")
    pair = Comparison(
        champion=Measured(value=0.5, rows=60), challenger=Measured(value=0.55, low=0.5 + low, high=0.66, rows=60),
        difference=Measured(value=0.05, low=low, high=0.16, rows=60), margin=0.0, decides=True,
    )  # fmt: skip
    brier = Comparison(champion=none, challenger=Measured(value=0.2, rows=60), difference=none)
    return Verdict(
        verdict_id="verdict-1", model="loans", version=1, champion=None, epoch=0, verdict=Decision.PROMOTE,
        reasons=("It may be promoted.",), metrics={"auc": pair, "brier": brier}, rows=60, decided_at=NOW,
    )  # fmt: skip


def put_version(store: Store, number: int) -> None:
    with store.work_dir() as work, store.transaction():
        file = work / "model.skops"
        file.write_bytes(f"pipeline {number}".encode())
        store.models.add_version(version(number, store.artifacts.put(file)))
        store.models.set_baseline("loans", number, counts=store.models.baseline("loans", 1), score_counts=None)


@pytest.fixture
def barely(home: Store) -> Store:
    """A first version whose interval includes a coin, with its verdict, not promoted."""
    fill(home, champion=False)
    put_version(home, 1)
    home.models.add_verdict(first_verdict(low=-0.04))
    return home


def crown(store: Store) -> None:
    store.models.apply(
        Promotion(
            model="loans", epoch=1, version=1, previous=None, action="promote", by="Ada", reason="try it",
            verdict_id="verdict-1", at=NOW,
        )
    )  # fmt: skip


def test_only_a_first_version_whose_interval_includes_chance_is_in_doubt() -> None:
    unsure = first_verdict(low=-0.04)
    assert (verdicts.doubt(unsure), verdicts.state(unsure)) == (DOUBT, State.WATCH)
    sure = first_verdict(low=0.01)
    assert (verdicts.doubt(sure), verdicts.state(sure)) == ("", State.OK)
    assert verdicts.doubt(replace(unsure, champion=1)) == ""
    assert verdicts.doubt(replace(unsure, verdict=Decision.KEEP)) == ""
    assert verdicts.doubt(None) == ""


def test_the_axis_names_the_trivial_predictor_where_there_is_no_champion() -> None:
    figure = release_charts.verdict_dots(first_verdict(low=0.01), title="x")
    assert figure.layout.xaxis.title.text.startswith("← trivial predictor better")


@pytest.mark.parametrize("page", ["release/challenge.py", "release/training.py"])
def test_a_first_version_in_doubt_is_amber(barely: Store, visit: Visit, page: str) -> None:
    title = visit(page).title[0].value
    assert title.startswith(":orange[:material/visibility:]")
    assert DOUBT in title


def test_a_champion_in_doubt_is_amber_everywhere(barely: Store, visit: Visit) -> None:
    crown(barely)
    for page in ("release/training.py", "release/registry.py"):
        title = visit(page).title[0].value
        assert title.startswith(":orange[:material/visibility:]")
        assert DOUBT in title
    card = next(item.value for item in visit().markdown if item.value.startswith("**Champion v1**"))
    assert card.endswith(":orange[:material/visibility: Passed the gate, barely]")


def test_all_agree_on_the_version_that_waits(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    assert visit().button(key="next").label == "Decide on v2"
    assert visit("release/registry.py").button(key="registry_challenge").label == "Decide on v2"
    assert visit("release/training.py").button(key="decide").label == "Decide on v2"
    (status,) = watch.status(home, loans.MODEL)
    assert status.next_step.startswith("Decide on v2")
    report = batch(20, status=BatchStatus.QUARANTINED)
    held = replace(reads.seen(home, loans.MODEL), batches=(report,))
    assert words.step(held, ())[0] == "Decide on v2"


def test_all_agree_that_a_verdict_of_another_epoch_is_none(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    loans.promote_again(home)
    assert visit().button(key="next").label != "Decide on v3"
    assert visit("release/registry.py").button(key="registry_challenge").label == "Challenge with v3"
    assert visit("release/training.py").button(key="decide").label == "Challenge with v3"
    (status,) = watch.status(home, loans.MODEL)
    assert "Decide" not in status.next_step
    assert shelves.shelf(home, loans.MODEL).ready is False
