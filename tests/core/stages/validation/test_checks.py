"""Every code with the share at which it appears, and the severity that the policy gives it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp

from pipeline_core.policy import Policy
from pipeline_core.records import BatchStatus, ColumnType, Finding, Schema, Severity
from pipeline_core.sources import files
from pipeline_core.stages.schema import DefineRequest, learn, propose
from pipeline_core.stages.validation import TypedRows, decide, type_rows
from pipeline_core.stages.validation.outcomes import MEASURES
from tests.core.stages.validation.made import checked, findings_of, with_spikes

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START = datetime(2025, 1, 1, tzinfo=UTC)
POLICY = Policy()
ROWS = 1_000


def base(rows: int = ROWS) -> dict[str, Any]:
    return {
        "key": [f"k{i}" for i in range(rows)],
        "when": [START + timedelta(minutes=i) for i in range(rows)],
        "amount": [float(i) for i in range(rows)],
        "income": [None if i % 10 == 0 else float(i % 7) for i in range(rows)],
        "city": [("Rome", "Oslo", "Bonn", "Bern")[i % 4] for i in range(rows)],
        "sex": ["f" if i % 2 else "m" for i in range(rows)],
        "note": [f"note {i}" for i in range(rows)],
        "y": ["yes" if i % 3 == 0 else "no" for i in range(rows)],
    }


def learned(columns: dict[str, Any], **named: Any) -> Schema:
    given = {"model": "m", "target": "y", "time": "when", "id": "key", "protected": ("sex",), "defined_at": NOW} | named
    table = pa.table(columns)
    proposed = propose(table, DefineRequest(**given))
    rows = type_rows(table, proposed, sha256="a" * 64, received_at=NOW).rows
    return with_spikes(learn(proposed, rows), rows)


SCHEMA = learned(base())


def typed(columns: dict[str, Any] | pa.Table, schema: Schema = SCHEMA) -> TypedRows:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    return type_rows(table, schema, sha256="b" * 64, received_at=NOW)


def found(columns: dict[str, Any] | pa.Table, schema: Schema = SCHEMA, policy: Policy = POLICY) -> list[Finding]:
    return findings_of(typed(columns, schema), schema, policy)


def brief(findings: list[Finding]) -> list[tuple[str, str | None, str]]:
    return [(str(f.code), f.column, f.severity.value) for f in findings]


def with_cells(name: str, cells: dict[int, Any], rows: int = ROWS) -> dict[str, Any]:
    columns = base(rows)
    columns[name] = [cells.get(i, v) for i, v in enumerate(columns[name])]
    return columns


def test_the_first_file_again_has_no_finding() -> None:
    assert found(base()) == []


def test_a_batch_without_a_target_has_no_finding() -> None:
    columns = base()
    del columns["y"]
    assert found(columns) == []
    assert found(base() | {"y": [None] * ROWS}) == []


def test_no_rows() -> None:
    findings = found(pa.table(base()).slice(0, 0))
    assert brief(findings) == [("no_rows", None, "error")]
    assert decide(findings) is BatchStatus.QUARANTINED


# --- columns ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "severity"),
    [("amount", "error"), ("when", "error"), ("key", "error"), ("sex", "warning"), ("note", "info")],
)
def test_a_missing_column(name: str, severity: str) -> None:
    columns = base()
    del columns[name]
    findings = found(columns)
    assert brief(findings) == [("column_missing", name, severity)]
    assert decide(findings) is (BatchStatus.QUARANTINED if severity == "error" else BatchStatus.ACCEPTED)


def test_a_renamed_column_is_missing_and_extra_and_the_nearest_is_named() -> None:
    columns = base()
    columns["Amount "] = columns.pop("amount")
    findings = found(columns)
    assert brief(findings) == [
        ("column_missing", "amount", "error"),
        ("column_renamed", "amount", "error"),
        ("column_extra", "Amount ", "info"),
    ]
    assert "Did you mean 'Amount '?" in findings[0].message


# --- types --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("failed", "severity"), [(10, "warning"), (11, "error")])
def test_failed_cells_are_weighed_by_the_policy(failed: int, severity: str) -> None:
    columns = base()
    columns["amount"] = ["oops" if i < failed else str(v) for i, v in enumerate(columns["amount"])]
    findings = found(columns)
    assert brief(findings) == [("type_changed", "amount", severity)]
    assert findings[0].value == failed / ROWS
    assert findings[0].allowed == "at most 1.0 %"
    assert f"{failed} of 1,000 rows" in findings[0].message
    assert "Policy allows 1.0 %" in findings[0].message


@pytest.mark.parametrize(("name", "severity"), [("sex", "warning"), ("note", "info")])
def test_failed_cells_cost_no_more_than_the_column_is_worth(name: str, severity: str) -> None:
    schema = replace(
        SCHEMA, columns=tuple(replace(c, type=ColumnType.TIMESTAMP) if c.name == name else c for c in SCHEMA.columns)
    )
    findings = found(base(), schema)
    assert [b for b in brief(findings) if b[0] == "type_changed"] == [("type_changed", name, severity)]
    assert decide(findings) is BatchStatus.ACCEPTED


def test_labels_that_are_no_numbers_are_a_warning() -> None:
    schema = learned(base(), target="amount", exclude=("y",))
    findings = found(base() | {"amount": ["soon"] * ROWS}, schema)
    assert brief(findings) == [("type_changed", "amount", "warning")]


def test_numbers_that_arrive_as_text_are_the_same_numbers() -> None:
    columns = base()
    columns["amount"] = [f" {v} " for v in columns["amount"]]
    columns["income"] = [None if v is None else str(v) for v in columns["income"]]
    assert found(columns) == []


# --- nulls --------------------------------------------------------------------------------------


def nulls(share: float, rows: int = ROWS) -> dict[str, Any]:
    columns = base(rows)
    columns["income"] = [None if i < share * rows else float(i % 7) for i in range(rows)]
    return columns


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.00, [("null_share_down", "warning")]),
        (0.09, []),
        (0.115, []),
        (0.13, []),
        (0.16, [("null_share_up", "warning")]),
        (0.35, [("null_share_up", "warning")]),
        (0.351, [("null_share_up", "error")]),
        (1.00, [("all_null", "error")]),
    ],
)
def test_the_share_of_nulls(share: float, expected: list[tuple[str, str]]) -> None:
    findings = found(nulls(share))
    assert [(str(f.code), f.severity.value) for f in findings] == expected
    assert all(f.column == "income" and f.value == share for f in findings)


def test_a_fall_of_nulls_says_that_gaps_may_be_filled() -> None:
    (finding,) = found(nulls(0))
    assert "0.0 % null; the baseline has 10.0 %" in finding.message
    assert "imputing" in finding.message


def test_a_handful_of_rows_is_judged_by_no_share() -> None:
    few = {name: values[:3] for name, values in base().items()} | {"income": [None, None, 1.0]}
    assert found(few) == []


def test_protected_columns_never_quarantine() -> None:
    findings = found(base() | {"sex": [None] * ROWS})
    assert brief(findings) == [("all_null", "sex", "warning")]


def test_failed_cells_are_no_nulls() -> None:
    columns = base()
    columns["amount"] = ["oops"] * ROWS
    assert brief(found(columns)) == [("type_changed", "amount", "error")]


# --- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outside", "expected"), [(1, 0), (2, 1)])
def test_values_outside_the_range(outside: int, expected: int) -> None:
    findings = found(with_cells("amount", {i: 5_000.0 + i for i in range(outside)}))
    assert brief(findings) == [("out_of_range", "amount", "warning")] * expected
    for finding in findings:
        assert (finding.value, finding.allowed) == (0.002, "0 to 999")
        assert "they reach from 2 to 5001" in finding.message


def test_a_category_that_is_new() -> None:
    findings = found(with_cells("city", {0: "Wien", 1: "Wien", 2: "Graz"}))
    assert brief(findings) == [("unseen_category", "city", "warning")]
    assert "'Wien' (2 rows), 'Graz' (1 rows)" in findings[0].message
    assert findings[0].value == pytest.approx(0.003)


@pytest.mark.parametrize(("share", "severity"), [(0.5, "warning"), (0.501, "error")])
def test_a_share_of_new_categories_beyond_the_policy(share: float, severity: str) -> None:
    findings = found(with_cells("city", dict.fromkeys(range(round(share * ROWS)), "Wien")))
    assert ("unseen_category", "city", severity) in brief(findings)


def test_new_categories_in_a_handful_of_rows_are_a_warning() -> None:
    one = {name: values[:1] for name, values in base().items()} | {"city": ["Wien"]}
    assert brief(found(one, replace_baseline_rows(400))) == [("unseen_category", "city", "warning")]


def replace_baseline_rows(rows: int) -> Schema:
    return replace(SCHEMA, baselines=tuple(replace(b, rows=rows) for b in SCHEMA.baselines))


def test_months_that_have_not_been_are_no_fault_of_the_file() -> None:
    columns = base()
    columns["when"] = [START + timedelta(days=i // 100) for i in range(ROWS)]
    columns["day_name"] = [f"{t:%a}" for t in columns["when"]]
    schema = learned({n: v[:500] for n, v in columns.items()})
    later = {n: v[500:] for n, v in columns.items()}
    finding = next(f for f in found(later, schema) if f.code == "unseen_category")
    assert (finding.severity, finding.allowed, finding.value) == (Severity.WARNING, "any", 0.4)
    assert "come with the calendar" in finding.message


def test_beyond_200_levels_nobody_knows_what_is_new() -> None:
    columns = base() | {"city": [f"c{i % 300}" for i in range(ROWS)]}
    schema = learned(columns)
    assert found(columns | {"city": [f"d{i % 300}" for i in range(ROWS)]}, schema) != []
    codes = {str(f.code) for f in found(columns | {"city": ["new"] * ROWS}, schema)}
    assert codes == {"distribution_shift", "constant"}


# --- distributions ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["normal", "atoms", "between", "heavy"])
def test_the_distance_of_numbers_is_that_of_scipy(kind: str) -> None:
    random = np.random.default_rng(5)
    before, after = {
        "normal": (random.normal(size=5_000), random.normal(0.5, 1, 4_000)),
        "atoms": (random.integers(0, 5, 5_000) * 1.0, random.integers(1, 7, 4_000) * 1.0),
        "between": (random.integers(0, 2, 5_000) * 1.0, random.integers(0, 2, 4_000) * 0.5),
        "heavy": (random.standard_cauchy(5_000), 3 * random.standard_cauchy(4_000)),
    }[kind]
    schema = learned({"x": before, "y": np.arange(5_000) % 2}, time=None, id=None, protected=())
    findings = found({"x": after, "y": np.arange(4_000) % 2}, schema)
    shift = next(f for f in findings if f.code == "distribution_shift")
    assert shift.severity is Severity.WARNING
    assert shift.value == pytest.approx(ks_2samp(before, after).statistic, abs=0.0021)


def test_the_distance_of_categories_is_that_of_scipy() -> None:
    columns = base() | {"city": ["Rome"] * 500 + ["Oslo"] * 500}
    vanished, finding = found(columns)
    assert (vanished.code, vanished.value) == ("category_vanished", 0.5)
    assert finding.code == "distribution_shift"
    assert finding.value == pytest.approx(jensenshannon([0.25] * 4, [0.5, 0.5, 0, 0]), abs=1e-12)
    assert "moved most, from 25.0 %" in finding.message


def test_a_shift_on_few_rows_is_not_named() -> None:
    few = {name: values[:199] for name, values in base().items()}
    assert found(few) == []
    more = {name: values[:200] for name, values in base().items()}
    assert brief(found(more)) == [("distribution_shift", "amount", "warning")]


# --- ids and times ------------------------------------------------------------------------------


def test_ids_that_repeat_or_miss_quarantine() -> None:
    findings = found(with_cells("key", {5: "k4", 6: "k4", 7: None}))
    assert brief(findings) == [("duplicate_ids", "key", "error")]
    assert "2 of 1,000 rows repeat an id and 1 have none" in findings[0].message
    assert findings[0].value == pytest.approx(0.003)


@pytest.mark.parametrize(("missing", "severity"), [(10, "warning"), (11, "error")])
def test_rows_without_a_time(missing: int, severity: str) -> None:
    findings = found(with_cells("when", dict.fromkeys(range(missing))))
    assert brief(findings) == [("event_time_missing", "when", severity)]
    assert findings[0].value == missing / ROWS


def test_a_label_of_no_class_is_a_warning() -> None:
    findings = found(with_cells("y", {0: "maybe"}))
    assert brief(findings) == [("target_unknown", "y", "warning")]


def test_errors_come_first_and_one_column_costs_no_other() -> None:
    columns = with_cells("city", {0: "Wien"}) | {
        "amount": ["oops"] * ROWS,
        "income": [None] * ROWS,
        "extra": [1] * ROWS,
    }
    assert brief(found(columns)) == [
        ("type_changed", "amount", "error"),
        ("all_null", "income", "error"),
        ("unseen_category", "city", "warning"),
        ("column_extra", "extra", "info"),
    ]


def test_decide() -> None:
    finding = Finding(code="x", column=None, severity=Severity.WARNING, message="")
    assert decide([]) is BatchStatus.ACCEPTED
    assert decide([finding, replace(finding, severity=Severity.INFO)]) is BatchStatus.ACCEPTED
    assert decide([finding, replace(finding, severity=Severity.ERROR)]) is BatchStatus.QUARANTINED


# --- real later data gets through ---------------------------------------------------------------


def cut(table: pa.Table, column: str, *ends: Any) -> list[pa.Table]:
    parts, low = [], None
    for end in (*ends, None):
        keep = pc.is_valid(table[column])
        keep = keep if low is None else pc.and_(keep, pc.greater_equal(table[column], low))
        keep = keep if end is None else pc.and_(keep, pc.less(table[column], end))
        parts.append(table.filter(keep))
        low = end
    return parts


def moment(text: str) -> pa.Scalar:
    return pa.scalar(datetime.fromisoformat(text), pa.timestamp("us"))


REAL = {
    "bank_marketing": (
        {"target": "y", "positive": "yes", "time": "contact_month", "exclude": ("duration", "row_order")},
        ("contact_month", *map(moment, ("2008-08-01", "2008-11-01", "2009-05-01", "2010-01-01"))),
    ),
    "bike_sharing_hourly": (
        {"target": "cnt", "time": "timestamp", "exclude": ("casual", "registered", "instant", "yr")},
        ("timestamp", *map(moment, ("2012-01-01", "2012-02-01", "2012-07-01"))),
    ),
    "chicago_taxi": (
        {"target": "big_tipper", "time": "trip_start", "exclude": ("tips",)},
        ("trip_start", *map(moment, ("2014-01-01", "2015-01-01", "2016-01-01"))),
    ),
    "noaa_weather": ({"target": "target", "time": "day_index"}, ("day_index", 1_826, 3_652, 9_000, 14_000)),
    "adult_census": (
        {"target": "income", "protected": ("sex", "race")},
        ("split", "train"),
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_later_parts_of_real_files_are_accepted(real_data: Path, name: str) -> None:
    named, (column, *ends) = REAL[name]
    table = files.read(real_data / f"{name}.parquet", policy=POLICY)
    parts = cut(table, column, *ends)
    first, *later = reversed(parts) if name == "adult_census" else parts
    schema = learned({n: first[n] for n in first.column_names}, **({"time": None, "id": None, "protected": ()} | named))
    assert found(first, schema) == []
    for part in later:
        findings = found(part, schema)
        assert decide(findings) is BatchStatus.ACCEPTED, [f.message for f in findings if f.severity is Severity.ERROR]
    if name == "adult_census":
        assert findings == []


# --- how bad, and how often ---------------------------------------------------------------------


def severities(
    policy: dict[str, str] | None = None, people: dict[tuple[str, str | None], str] | None = None
) -> list[str]:
    """Say how bad an unseen city is."""
    columns = with_cells("city", {0: "Wien"})
    context = {"severities": people or {}}
    findings = findings_of(typed(columns), SCHEMA, replace(POLICY, severities=policy or {}), **context)
    return [f.severity.value for f in findings if f.code == "unseen_category"]


def test_the_policy_and_then_people_say_how_bad_a_finding_is() -> None:
    city = next(c.column_id for c in SCHEMA.columns if c.name == "city")
    assert severities() == ["warning"]
    assert severities({"unseen_category": "error"}) == ["error"]
    assert severities({"unseen_category": "off"}) == []
    assert severities({"unseen_category": "error"}, {("unseen_category", None): "info"}) == ["info"]
    both = {("unseen_category", None): "off", ("unseen_category", city): "error"}
    assert severities({"unseen_category": "info"}, both) == ["error"]
    assert severities(people={("unseen_category", "c999"): "error"}) == ["warning"]


def test_every_rule_is_measured_whether_it_fires_or_not() -> None:
    seen = {(m.code, m.column_id): m.value for m in checked(typed(with_cells("city", {0: "Wien"})), SCHEMA).measures}
    clean = {(m.code, m.column_id): m.value for m in checked(typed(base()), SCHEMA).measures}
    assert seen.keys() == clean.keys()
    city = next(c.column_id for c in SCHEMA.columns if c.name == "city")
    assert (seen["unseen_category", city], clean["unseen_category", city]) == (0.001, 0.0)
    off = checked(
        typed(with_cells("city", {0: "Wien"})), SCHEMA, replace(POLICY, severities={"unseen_category": "off"})
    )
    assert {(m.code, m.column_id): m.value for m in off.measures} == seen
    assert {"imputed", "unit_jump", "out_of_range", "row_count", "duplicate_rows", "time_future"} <= {
        c for c, _ in seen
    }
    assert len(checked(typed(base()), SCHEMA).measures) == len(clean)


def test_a_finding_says_how_often_it_would_have_fired() -> None:
    city = next(c.column_id for c in SCHEMA.columns if c.name == "city")
    past = [("b-1", "unseen_category", city, 0.0), ("b-2", "unseen_category", city, 0.2), ("b-3", "imputed", city, 0.1)]
    table = pa.Table.from_pylist(
        [dict(zip(("batch_id", "code", "column_id", "value"), p, strict=True)) for p in past], MEASURES
    )
    (finding,) = findings_of(typed(with_cells("city", {0: "Wien"})), SCHEMA, measures=table)
    assert (finding.fired_batches, finding.past_batches) == (1, 2)
    (finding,) = found(with_cells("city", {0: "Wien"}))
    assert (finding.fired_batches, finding.past_batches) == (None, None)


def test_every_finding_states_its_rule() -> None:
    columns = with_cells("city", {0: "Wien"}) | {
        "amount": ["oops"] * ROWS,
        "income": [None] * ROWS,
        "extra": [1] * ROWS,
    }
    del columns["sex"]
    findings = found(columns)
    assert len(findings) == 5
    assert all(f.rule.endswith(".") and f.allowed for f in findings)
