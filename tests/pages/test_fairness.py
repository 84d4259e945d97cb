"""The bias audit on the pages: what it says, the override by a second person, and that this stays to be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from streamlit.testing.v1 import AppTest

from pages.release import biaswords
from pages.ui import bias_charts
from pipeline_core.policy import Policy
from pipeline_core.records import BiasAudit, BiasState, Column, ColumnType, Decision, NotMeasured, Role, Verdict
from pipeline_core.stages import bias
from pipeline_core.store.home import Store
from tests.core import modelling
from tests.pages import loans

PAGE = "release/challenge.py"
Visit = Callable[..., AppTest]
HOSTILE = "=1+1 <b>**f**</b>"


def audit(*, less: float, rows: int = 2_000, gate: Decision = Decision.PROMOTE, level: str = HOSTILE) -> BiasAudit:
    """Audit rows of two groups, the smaller one selected ``less`` times as often."""
    random = np.random.default_rng(2)
    column = Column(column_id="sex", name="se|x*", type=ColumnType.CATEGORY, role=Role.PROTECTED)
    plain = modelling.schema()
    schema = replace(plain, columns=(*(c for c in plain.columns if c.role is not Role.PROTECTED), column))
    women = random.random(rows) < 0.4
    chosen = random.random(rows) < np.where(women, 0.5 * less, 0.5)
    truth = random.random(rows) < 0.3
    table = pa.table({"label": np.where(truth, "yes", "no"), "sex": np.where(women, level, "m")})
    said = pa.table({"prediction": np.where(chosen, "yes", "no"), "score": chosen.astype(float)})
    found = bias.audit(table, said, champion=said, schema=schema, policy=Policy(), gate=gate)
    assert isinstance(found, BiasAudit)
    return found


def judge(home: Store, found: BiasAudit | NotMeasured | None) -> Verdict:
    """Put a verdict with that audit on the challenger."""
    verdict = home.models.verdict(loans.MODEL, 2)
    assert verdict is not None
    blocked = isinstance(found, BiasAudit) and found.blocks
    given = replace(
        verdict,
        verdict_id="verdict-biased",
        verdict=Decision.KEEP if blocked else verdict.verdict,
        audit=found,
        decided_at=home.now(),
    )
    home.models.add_verdict(given)
    return given


def test_the_challenge_shows_its_own_audit(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    at = visit(PAGE, model=loans.MODEL)
    assert not at.exception
    verdict = home.models.verdict(loans.MODEL, 2)
    assert verdict is not None
    assert isinstance(verdict.audit, BiasAudit)
    assert biaswords.headline(verdict.audit) in loans.said(at)
    assert [e.label for e in at.expander if "Override" in e.label] == []


def test_a_proven_violation_is_said_first_and_blocks(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    judge(home, audit(less=0.4))
    at = visit(PAGE, model=loans.MODEL)
    assert not at.exception
    assert "**Keep champion v1**: v2 passed the gate, but the bias audit blocks it" in at.title[0].value
    assert "**A violation is proven** on 2,000 rows" in loans.said(at)
    assert at.button(key="promote").disabled
    assert "<b>" not in loans.said(at)
    assert [chart.key for chart in at.get("plotly_chart")].count("bias_0") == 1


def test_a_second_person_lets_it_pass_and_stays_on_the_registry(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    judge(home, audit(less=0.4))
    at = visit(PAGE, model=loans.MODEL)
    at.button(key="override_yes").click().run()
    assert "Fill in your name and the reason of the promotion and the second person's name" in at.warning[0].value
    for key, text in {
        "by": "Ada",
        "second": " ada ",
        "reason": "newer",
        "second_reason": "*reviewed* <i>twice</i>",
    }.items():
        at.session_state[f"override_{key}"] = text
    at.button(key="override_yes").click().run()
    assert "two different people are needed" in " ".join(e.value for e in at.error)
    assert len(home.models.promotions(loans.MODEL)) == 1
    for key, text in {
        "by": "Ada",
        "second": "Grace",
        "reason": "newer",
        "second_reason": "*reviewed* <i>twice</i>",
    }.items():
        at.session_state[f"override_{key}"] = text
    at.button(key="override_yes").click().run()
    assert not at.exception
    move = home.models.promotions(loans.MODEL)[0]
    assert (move.version, move.by, move.override_by) == (2, "Ada", "Grace")
    registry = visit("release/registry.py", model=loans.MODEL)
    assert "**Grace** overrode its block" in loans.said(registry)
    assert "<i>" not in loans.said(registry)
    table = next(f.value for f in registry.dataframe if "Overridden by" in f.value.columns)
    assert table["Overridden by"].tolist()[0] == "Grace"


def test_without_a_protected_column_it_says_how_to_declare_one(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    judge(home, NotMeasured(reason="no column of this model is marked as protected"))
    at = visit(PAGE, model=loans.MODEL)
    assert "**Not audited**: no column of this model is marked as protected." in loans.said(at)
    assert "--protected sex,age" in loans.said(at)


def test_an_old_verdict_says_that_it_has_no_audit(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    judge(home, None)
    at = visit(PAGE, model=loans.MODEL)
    assert not at.exception
    assert "made before there was a bias audit" in loans.said(at)


def test_the_chart_has_limits_both_sides_and_a_shape_for_each_state() -> None:
    (sex,) = audit(less=0.4, level="f").attributes
    figure = bias_charts.against_rest(sex, title="sex", sides=[("#000", "v1"), ("#111", "v2")])
    dots = [trace for trace in figure.data if trace.x]
    assert len(dots) == 2 * len(sex.findings) == 6
    assert dots[0].marker.symbol == "x-thin"
    assert sex.findings[0].state is BiasState.VIOLATION
    limits = [shape.x0 for shape in figure.layout.shapes if shape.line.dash == "dot"]
    assert limits == [0.8, -0.1, 0.1, -0.1, 0.1]


def test_the_download_holds_every_figure_of_both_sides() -> None:
    found = audit(less=0.4, level="f")
    rows = biaswords.downloaded(found)
    assert len(rows) == 2 * 2 * 5 + 2 * 3
    ratio = next(r for r in rows if r["measure"] == "selection_ratio" and r["model"] == "challenger")
    assert (ratio["limit"], ratio["state"], ratio["group"]) == (0.8, "violation", "f")
    assert {r["model"] for r in rows} == {"champion", "challenger"}


def test_what_is_open_says_how_many_rows_are_needed() -> None:
    found = audit(less=0.95, rows=200, level="f")
    assert found.state is BiasState.INSUFFICIENT
    assert "**No violation is proven** on 200 rows, but" in biaswords.headline(found)
    rows = biaswords.finding_rows(found.attributes[0], champion=True)
    assert all(row["Rows needed"] > row["Rows"] for row in rows if row["State"] == "Too few rows to say")
