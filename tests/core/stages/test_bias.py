"""The audit of a verdict: what blocks, what is open, what is not measured; on made rows and on real ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from fairlearn import metrics as fair

from pipeline_core.policy import Policy
from pipeline_core.records import (
    AttributeAudit,
    BiasAudit,
    BiasMeasure,
    BiasState,
    Column,
    ColumnType,
    Decision,
    GroupRates,
    Measured,
    NotMeasured,
    Role,
    Schema,
    Task,
    dump_text,
    load,
)
from pipeline_core.stages import bias
from tests.core import modelling

POLICY = Policy()
SELECTION, TPR, FPR = BiasMeasure


def protected(*names: str, number: tuple[str, ...] = ()) -> Schema:
    """Give a binary schema with these protected columns, each named by its own name."""
    made = [
        Column(
            column_id=name,
            name=name,
            type=ColumnType.NUMBER if name in number else ColumnType.CATEGORY,
            role=Role.PROTECTED,
        )
        for name in names
    ]
    plain = modelling.schema()
    return replace(plain, columns=(*(c for c in plain.columns if c.role is not Role.PROTECTED), *made))


def said(chosen: np.ndarray, score: np.ndarray | None = None) -> pa.Table:
    flags = np.asarray(chosen, dtype=bool)
    return pa.table({
        "prediction": pa.array(["yes" if flag else "no" for flag in flags]),
        "score": pa.array(flags.astype(float) if score is None else np.asarray(score, dtype=float)),
    })


def rows(truth: np.ndarray, **columns: object) -> pa.Table:
    return pa.table({"label": ["yes" if flag else "no" for flag in truth], **columns})


def made(count: int, *, less: float, seed: int = 1) -> tuple[pa.Table, np.ndarray]:
    """Give rows of two sexes; women are selected ``less`` times as often, whatever the truth is."""
    random = np.random.default_rng(seed)
    women = random.random(count) < 0.4
    truth = random.random(count) < 0.3
    chosen = random.random(count) < np.where(women, 0.5 * less, 0.5)
    return rows(truth, sex=np.where(women, "f", "m").tolist()), chosen


def audited(table: pa.Table, chosen: np.ndarray, schema: Schema | None = None, **options: object) -> BiasAudit:
    found = bias.audit(
        table, said(chosen), **{
            "champion": None, "schema": schema or protected("sex"), "policy": POLICY, "gate": Decision.PROMOTE
        } | options,
    )  # fmt: skip
    assert isinstance(found, BiasAudit)
    return found


def test_a_proven_violation_turns_a_promotion_down_in_plain_words() -> None:
    found = audited(*made(4_000, less=0.5))
    assert (found.state, found.blocks) == (BiasState.VIOLATION, True)
    decision, reasons = bias.tempered(Decision.PROMOTE, ("It is as good.",), found)
    assert decision is Decision.KEEP
    assert reasons[0] == "It is as good."
    assert reasons[1].startswith("Bias audit: 'f' in 'sex' is selected 2")
    assert "% of the time, all other rows 49.7 %: a ratio of 0.515 (95 % interval" in reasons[1]
    assert "policy allows at least 0.8 (selection_ratio_min)." in reasons[1]
    assert reasons[-1] == bias.OVERRIDE


def test_a_violation_beside_a_failed_gate_is_told_and_changes_nothing() -> None:
    found = audited(*made(4_000, less=0.5), gate=Decision.INSUFFICIENT)
    assert not found.blocks
    decision, reasons = bias.tempered(Decision.INSUFFICIENT, ("Too few rows.",), found)
    assert decision is Decision.INSUFFICIENT
    assert reasons[-1] != bias.OVERRIDE
    assert any(reason.startswith("Bias audit: ") for reason in reasons)


def test_many_rows_without_a_difference_are_cleared() -> None:
    found = audited(*made(20_000, less=1.0))
    assert found.state is BiasState.CLEARED
    assert found.reasons == (
        "All 3 comparisons of protected groups lie within the policy's limits with 95 % confidence.",
    )
    assert bias.tempered(Decision.PROMOTE, ("Good.",), found) == (Decision.PROMOTE, ("Good.",))


def test_few_rows_say_how_many_are_needed() -> None:
    found = audited(*made(200, less=0.9))
    assert found.state is BiasState.INSUFFICIENT
    assert bias.tempered(Decision.PROMOTE, ("Good.",), found)[0] is Decision.PROMOTE
    assert "rows of the group would decide;" in found.reasons[1]


def test_the_champion_stands_beside() -> None:
    table, chosen = made(4_000, less=0.5)
    found = audited(table, chosen, champion=said(~chosen))
    (sex,) = found.attributes
    ratio = sex.findings[0]
    assert isinstance(ratio.champion, Measured)
    assert ratio.champion == audited(table, ~chosen).attributes[0].findings[0].figure
    assert len(sex.champion) == len(sex.challenger) == 2
    assert "The champion's is " in found.reasons[0]


def test_without_a_protected_column_it_says_so() -> None:
    table, chosen = made(100, less=1.0)
    found = bias.audit(table, said(chosen), champion=None, schema=protected(), policy=POLICY, gate=Decision.PROMOTE)
    assert found == NotMeasured(reason="no column of this model is marked as protected")


def test_other_tasks_are_not_audited_and_it_says_so() -> None:
    schema = modelling.schema(Task.REGRESSION)
    found = bias.audit(pa.table({}), said(np.zeros(0)), champion=None, schema=schema, policy=POLICY, gate=Decision.KEEP)
    assert isinstance(found, NotMeasured)
    assert "yes-or-no models" in found.reason


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["f"] * 100, "column 'sex' has one group in these rows"),
        ([f"only {at}" for at in range(20)], "column 'sex' has no group of 30 rows"),
    ],
)
def test_a_column_that_cannot_be_cut_is_said(values: list[str], reason: str) -> None:
    chosen = np.arange(len(values)) % 2 == 0
    found = bias.audit(
        rows(chosen, sex=values),
        said(chosen),
        champion=None,
        schema=protected("sex"),
        policy=POLICY,
        gate=Decision.KEEP,
    )
    assert found == NotMeasured(reason=reason)


def test_columns_are_crossed_and_a_hidden_violation_is_found() -> None:
    """Each sex and each age is selected alike; old women and young men never are as often as the others."""
    random = np.random.default_rng(5)
    count = 8_000
    sex, old = random.random(count) < 0.5, random.random(count) < 0.5
    chosen = random.random(count) < np.where(sex == old, 0.6, 0.3)
    table = rows(
        random.random(count) < 0.5, sex=np.where(sex, "f", "m").tolist(), age=np.where(old, "old", "young").tolist()
    )
    found = audited(table, chosen, protected("sex", "age"))
    assert [a.attribute for a in found.attributes] == ["sex", "age", "sex and age"]
    assert found.attributes[2].columns == ("sex", "age")
    states = {a.attribute: {f.state for f in a.findings if f.measure is SELECTION} for a in found.attributes}
    assert states["sex"] == states["age"] == {BiasState.CLEARED}
    assert states["sex and age"] == {BiasState.VIOLATION}
    assert found.state is BiasState.VIOLATION


def test_limits_that_nothing_breaks_are_said() -> None:
    off = replace(POLICY, selection_ratio_min=0.0, tpr_gap_max=1.0, fpr_gap_max=1.0)
    found = audited(*made(4_000, less=0.3), policy=off)
    assert (found.state, found.blocks) == (BiasState.INSUFFICIENT, False)
    assert found.reasons[0].startswith("No limit of the policy decides")


def test_rows_that_cannot_be_judged_are_left_out_on_both_sides() -> None:
    table, chosen = made(400, less=1.0)
    spoiled = table.set_column(0, "label", pa.array(["other", *table["label"].to_pylist()[1:]]))
    score = np.where(np.arange(400) == 7, np.nan, 0.5)
    found = audited(spoiled, chosen, champion=said(chosen, score))
    assert found.rows == 398


def test_the_record_comes_back_from_json() -> None:
    found = audited(*made(400, less=0.5))
    assert load(BiasAudit, dump_text(found)) == found


# --- real rows ----------------------------------------------------------------------------------


def compas(folder: Path) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Give rows screened before April 2014, the incumbent's decision, and its score."""
    table = pq.read_table(folder / "compas_two_years.parquet")
    day = table["compas_screening_date"].cast(pa.string())
    table = table.filter(pc.less(day, "2014-04-01"))
    decile = table["decile_score"].to_numpy()
    truth = table["two_year_recid"].to_numpy().astype(float) == 1
    given = rows(
        truth,
        race=table["race"].cast(pa.string()),
        sex=table["sex"].cast(pa.string()),
        age=table["age"].cast(pa.float64()),
    )
    return given, decile >= 5, decile / 10


def rates(attribute: AttributeAudit) -> dict[str, GroupRates]:
    return {group.group: group for group in attribute.challenger}


def test_compas_says_what_is_known_of_it(real_data: Path) -> None:
    table, chosen, score = compas(real_data)
    schema = protected("race", "sex", "age", number=("age",))
    found = bias.audit(table, said(chosen, score), champion=None, schema=schema, policy=POLICY, gate=Decision.PROMOTE)
    assert isinstance(found, BiasAudit)
    race = found.attributes[0]
    black, white = (rates(race)[name] for name in ("African-American", "Caucasian"))
    # the orientation figures of the data set's README
    assert [round(f.value, 3) for f in (black.fpr, white.fpr)] == [0.449, 0.234]
    assert [round(f.value, 3) for f in (black.tpr, white.tpr)] == [0.722, 0.512]
    assert [round(f.value, 3) for f in (black.selection, white.selection)] == [0.565, 0.318]
    y = np.array([label == "yes" for label in table["label"].to_pylist()], dtype=int)
    # every race as fairlearn has it, of the groups that are judged
    names = np.array(table["race"].to_pylist())
    # the two rarest races are one group
    names = np.where(np.isin(names, list(rates(race))), names, "2 rarer levels together")
    assert set(names) == set(rates(race))
    for name in ("demographic_parity_difference", "demographic_parity_ratio", "equalized_odds_difference"):
        expected = getattr(fair, name)(y, chosen, sensitive_features=names)
        assert getattr(race.spread, name).value == pytest.approx(expected, abs=1e-12)
    states = {(f.group, f.measure): f.state for f in race.findings}
    assert states["African-American", SELECTION] is BiasState.VIOLATION
    assert states["African-American", FPR] is BiasState.VIOLATION
    assert states["African-American", TPR] is BiasState.VIOLATION
    assert states["Caucasian", SELECTION] is BiasState.VIOLATION
    assert found.blocks
    assert [g.group for g in found.attributes[2].challenger] == ["under 25", "25 to 29", "30 to 44", "45 and over"]


def test_adult_says_what_is_known_of_it(real_data: Path) -> None:
    """A model of the same kind as the README's, fitted on the train part, at 0.5 on the test part."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.preprocessing import OrdinalEncoder

    frame = pq.read_table(real_data / "adult_census.parquet").to_pandas()
    y = (frame["income"] == ">50K").to_numpy()
    features = frame.drop(columns=["income", "split", "fnlwgt"])
    text = features.select_dtypes(exclude="number").columns
    features[text] = OrdinalEncoder().fit_transform(features[text].astype(object).fillna("none"))
    test = (frame["split"] == "test").to_numpy()
    model = HistGradientBoostingClassifier(max_iter=100, random_state=0).fit(features[~test], y[~test])
    score = model.predict_proba(features[test])[:, 1]
    chosen, sex = score >= 0.5, frame.loc[test, "sex"].astype(str)
    found = audited(rows(y[test], sex=sex.tolist()), chosen)
    table = fair.MetricFrame(
        metrics={"selection": fair.selection_rate, "tpr": fair.true_positive_rate, "fpr": fair.false_positive_rate},
        y_true=y[test], y_pred=chosen, sensitive_features=sex,
    ).by_group  # fmt: skip
    (attribute,) = found.attributes
    for name, group in rates(attribute).items():
        for measure in ("selection", "tpr", "fpr"):
            assert getattr(group, measure).value == pytest.approx(table.loc[name, measure], abs=1e-12)
    # README: selection 0.258 men and 0.083 women, TPR 0.664 and 0.598, of a model of other settings
    assert rates(attribute)["Male"].selection.value == pytest.approx(0.258, abs=0.01)
    assert rates(attribute)["Female"].selection.value == pytest.approx(0.083, abs=0.01)
    ratio, tpr, fpr = attribute.findings
    assert (ratio.group, ratio.state, ratio.higher) == ("Female", BiasState.VIOLATION, False)
    assert tpr.state is (BiasState.CLEARED if max(-tpr.figure.low, tpr.figure.high) <= 0.1 else BiasState.INSUFFICIENT)
    assert fpr.state is BiasState.CLEARED
