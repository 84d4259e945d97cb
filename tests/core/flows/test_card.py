"""The lineage of any version, and the card that tells it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_core.errors import NotFound
from pipeline_core.flows import release, tracing
from pipeline_core.flows.card import card
from pipeline_core.flows.compute import in_process
from pipeline_core.flows.lineage import lineage
from pipeline_core.records import CardSection, ModelCard, Stage
from pipeline_core.service import cardtext
from pipeline_core.store.home import Store
from tests.core.flows import homes


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with homes.home(tmp_path / "home") as home:
        release.train(home, "loans", estimator="logistic_regression", compute=in_process)
        yield home


def section(made: ModelCard, title: str) -> CardSection:
    (found,) = (section for section in made.sections if section.title == title)
    return found


def test_the_lineage_of_a_version_before_and_after_its_promotion(store: Store) -> None:
    with pytest.raises(NotFound, match="has no champion yet"):
        lineage(store, "loans")
    told = lineage(store, "loans", version=1)
    assert (told.stage, told.promotion, told.verdict, told.promoted_by) == (Stage.CHALLENGER, None, None, "")
    assert told.source == store.datasets.get("loans", "d-1")
    assert [batch.batch_id for batch in told.batches] == ["b-0001"]
    move = release.promote(store, "loans", version=1, by="Ada", reason="the first one")
    told = lineage(store, "loans")
    assert (told.promotion, told.promoted_by, told.reason) == (move, "Ada", "the first one")
    assert told.verdict == store.models.verdict("loans", 1)
    release.train(store, "loans", estimator="logistic_regression", compute=in_process)
    assert lineage(store, "loans", version=2).promotion is None
    with pytest.raises(NotFound, match="has no version 3"):
        lineage(store, "loans", version=3)


def test_the_card_tells_what_records_hold(store: Store) -> None:
    version = store.models.version("loans", 1)
    made = card(store, "loans", version=1)
    assert made.title == "Model card: loans, version 1 (challenger)"
    assert "the probability that “outcome” is “yes”" in section(made, "What it is for").sentences[0]
    data = section(made, "Data").table
    assert data is not None
    assert ("Dataset", f"d-1, SHA-256 {version.dataset.sha256}") in data.rows
    columns = section(made, "Preprocessing").table
    assert columns is not None
    assert ("gender", "protected: kept for audits, never seen by the model") in columns.rows
    figures = section(made, "Validation").table
    assert figures is not None
    auc = version.metrics["auc"]
    assert figures.rows[0] == ("auc", f"{auc.value:.4g}", f"{auc.low:.4g}", f"{auc.high:.4g}", "80")
    assert "Protected: gender. No audit by group was kept" in section(made, "Groups").sentences[0]
    limits = section(made, "Limits").sentences
    assert "The rows span 1 days: a whole year of seasons was not seen." in limits
    assert "It does not see gender." in limits
    assert section(made, "Verdict").sentences == ("It was not challenged yet.",)
    assert section(made, "Promotion").sentences == ("It was never champion.",)
    assert section(made, "Lineage").sentences == ("It was not verified yet.",)


def test_the_card_of_a_champion_names_verdict_person_and_verification(store: Store) -> None:
    release.promote(store, "loans", version=1, by="Ada <b>", reason="better | *now*")
    tracing.verify(store, "loans", compute=in_process)
    made = card(store, "loans")
    verdict = store.models.verdict("loans", 1)
    assert verdict is not None
    assert set(verdict.reasons) < set(section(made, "Verdict").sentences)
    assert (
        "0 of 80 evaluation rows were in the training data of v1 (by row hash)." in section(made, "Verdict").sentences
    )
    assert section(made, "Promotion").sentences[0].endswith("because: better | *now*")
    assert section(made, "Lineage").sentences[0].endswith(": all of it agrees.")
    assert "Ada &lt;b&gt;" in cardtext.page(made)
    assert r"better \| \*now\*" in cardtext.markdown(made)
