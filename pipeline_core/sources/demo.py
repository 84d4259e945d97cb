"""What would a year of a lending portfolio look like? Seeded, so that everybody sees the same year.

52 weekly files from 2025-01-06 to 2026-01-04, about 60,000 applications, the outcome 30 to 60 days
late, and five incidents at known dates (``INCIDENTS``), so that a reader can hold what the screens say
against what was done to the data. The team starts in March with ten weeks of history; from then on each
week's file arrives on the Monday after it, and with it a file of the outcomes that became known. The people
are invented; no real record was copied. This module makes tables and knows neither store nor files:
``flows.demo`` sends them through the ordinary verbs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

MODEL = "lending"
TARGET = "defaulted"
POSITIVE = "yes"
TIME = "applied_at"
ID = "application_id"
PROTECTED = ("gender", "age_band")

SEED = 17
FIRST_DAY = date(2025, 1, 6)
WEEKS = 52
HISTORY_WEEKS = 10
WEEK_ROWS = 1_154
LABEL_DELAY_DAYS = (30, 60)
STARTS = datetime(2025, 3, 17, 8, 30, tzinfo=UTC)
"""When the team starts: the history is taken in one file after the other, with the outcomes known by then."""

FILE_TIME, LABELS_TIME, REPAIR_TIME = time(4, 40), time(6, 20), time(10, 0)
"""The earliest time of a Monday at which a weekly file, a file of outcomes and a repaired file arrive (UTC)."""

Floats = npt.NDArray[np.float64]
Columns = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that was done to the demo's data on purpose; days inclusive, in event time.

    ``what`` says what happened, ``expect`` what the screens should say about it.
    """

    title: str
    first_day: date
    last_day: date
    what: str
    expect: str


def _monday(week: int) -> date:
    return FIRST_DAY + timedelta(days=7 * week)


def _incident(first_week: int, last_week: int, title: str, what: str, expect: str) -> Incident:
    last_day = _monday(last_week) + timedelta(days=6)
    return Incident(title=title, first_day=_monday(first_week), last_day=last_day, what=what, expect=expect)


DEVICE_WEEKS = (15, 16)
DEBT_WEEKS = (19, 21)
BROKEN_WEEK = 24
NULL_WEEKS = (27, 29)
CONCEPT_WEEKS = (33, 51)

INCIDENTS: tuple[Incident, ...] = (
    _incident(
        *DEVICE_WEEKS,
        "New phones",
        "A phone launch renews many devices: device_age_days, known for the app only, falls to a third. It carries about 2 % of the SHAP share.",
        "Drift: device_age_days moves furthest of all and is still only a watch. No page, the AUC holds. The door sees fewer old devices than ever and "
        "asks whether values were rewritten: a doubt that a person has to settle.",
    ),
    _incident(
        *DEBT_WEEKS,
        "More indebted applicants",
        "A campaign reaches people with more debt: debt_to_income rises by about 0.07, and nothing else of them differs. How debt leads to default is unchanged.",
        "Drift: debt_to_income and the scores are watched in the first week and debt_to_income pages from the second on. Overview: more defaults are predicted, and when the labels arrive "
        "the AUC holds: the world changed, the model copes. Until then the drift page suspects the measurement, because the columns that go with debt stayed where they were.",
    ),
    _incident(
        BROKEN_WEEK,
        BROKEN_WEEK,
        "A broken file",
        "One weekly file arrives with income as text ('EUR 52,000'). The sender repairs it and sends it again a week later.",
        "Batches: one quarantined file with the reason; it is neither scored nor trained on. The repaired file is accepted.",
    ),
    _incident(
        *NULL_WEEKS,
        "Income: null becomes 0",
        "Upstream writes 0 where income used to be missing (12 % of the rows). Every request still gets a score.",
        "Drift: a page on income, null share 12 % to 0 % and a step at 0. Performance: the AUC drops once labels arrive, "
        "a page when four in five are in.",
    ),
    _incident(
        *CONCEPT_WEEKS,
        "The relation changes",
        "From September on, thin credit histories default more often and short employment matters less. No input moves.",
        "Drift: quiet. Performance: the AUC falls, visible 30 to 60 days later when labels arrive. "
        "Challenge: a model retrained on newer data does better.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One file that arrives: the rows of a week (``broken`` as sent first), or the labels of a week."""

    name: str
    table: pa.Table
    arrives: datetime
    broken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """What becomes of the applications of a week, and from when on it is known."""

    ids: npt.NDArray[np.generic]
    at: npt.NDArray[np.datetime64]
    outcome: npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """The whole year: weekly files and files of outcomes, each in the order in which they arrive."""

    weeks: tuple[Delivery, ...]
    labels: tuple[Delivery, ...]


def year(*, seed: int = SEED, week_rows: int = WEEK_ROWS) -> Year:
    """Make the year.

    Parameters
    ----------
    seed : int
        The same seed makes the same year, on every machine.
    week_rows : int
        About how many applications a week; tests make a small year.

    Returns
    -------
    Year
        The files of the history carry the outcomes that are known when the team starts; all others come in
        ``labels``, the last weeks' not at all.
    """
    rng, post = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    deliveries: list[Delivery] = []
    known: list[Known] = []
    for week in range(WEEKS):
        rows = _week(rng, week, week_rows)
        outcome = rows.pop(TARGET)
        low, high = LABEL_DELAY_DAYS
        # a file of outcomes is up to a week and a morning later than the outcomes in it
        delay = rng.uniform(low, high - 8, len(outcome)) * 86_400
        known.append(Known(ids=rows[ID], at=rows[TIME] + delay.astype("timedelta64[s]"), outcome=outcome))
        if week < HISTORY_WEEKS:
            deliveries.append(_history(week, rows, known[-1]))
            continue
        delivery = _delivery(week, rows, arrives=_arrival(post, week + 1, FILE_TIME))
        if week == BROKEN_WEEK:
            deliveries.append(replace(delivery, table=_break(delivery.table), broken=True))
            again = delivery.name.replace(".csv", "-again.csv")
            delivery = replace(delivery, name=again, arrives=_arrival(post, week + 2, REPAIR_TIME))
        deliveries.append(delivery)
    return Year(
        weeks=tuple(sorted(deliveries, key=lambda delivery: delivery.arrives)), labels=_label_files(post, known)
    )


def _delivery(week: int, rows: Columns, *, arrives: datetime) -> Delivery:
    table = pa.table({name: _array(name, values) for name, values in rows.items()})
    return Delivery(name=f"{MODEL}-{_monday(week).isoformat()}.csv", table=table, arrives=arrives)


def _history(week: int, rows: Columns, known: Known) -> Delivery:
    early = known.at < np.datetime64(STARTS.replace(hour=0, minute=0, tzinfo=None))
    delivery = _delivery(week, rows, arrives=STARTS + timedelta(minutes=2 * week))
    if not early.any():
        return delivery
    outcome = pa.array(known.outcome, mask=~early)
    return replace(delivery, table=delivery.table.append_column(TARGET, outcome))


def _arrival(post: np.random.Generator, week: int, earliest: time) -> datetime:
    """Give the moment of a Monday at which a file comes: within an hour and a half, as files do."""
    seconds = int(post.integers(0, 5_400))
    return datetime.combine(_monday(week), earliest, UTC) + timedelta(seconds=seconds)


def _array(name: str, values: npt.NDArray[np.generic]) -> pa.Array:
    if values.dtype.kind == "f":
        return pa.array(values, mask=np.isnan(values))
    if name == TIME:
        return pa.array(values, type=pa.timestamp("s"))
    return pa.array(values)


def _label_files(post: np.random.Generator, known: Sequence[Known]) -> tuple[Delivery, ...]:
    ids, at, outcome = (np.concatenate([getattr(part, name) for part in known]) for name in ("ids", "at", "outcome"))
    files = []
    for week in range(HISTORY_WEEKS, WEEKS):
        monday, next_monday = (np.datetime64(_monday(w), "s") for w in (week, week + 1))
        here = (at >= monday) & (at < next_monday)
        files.append(
            Delivery(
                name=f"{MODEL}-outcomes-{_monday(week + 1).isoformat()}.csv",
                table=pa.table({ID: pa.array(ids[here]), TARGET: pa.array(outcome[here])}),
                arrives=_arrival(post, week + 1, LABELS_TIME),
            )
        )
    return tuple(files)


def _break(table: pa.Table) -> pa.Table:
    index = table.column_names.index("income")
    text = [None if value is None else f"EUR {value:,.0f}" for value in table["income"].to_pylist()]
    return table.set_column(index, "income", pa.array(text, type=pa.string()))


def _between(week: int, weeks: tuple[int, int]) -> bool:
    return weeks[0] <= week <= weeks[1]


def _week(rng: np.random.Generator, week: int, week_rows: int) -> Columns:
    """Draw one week: who applies, what is recorded about them, and what becomes of the loan."""
    n = int(rng.normal(week_rows, week_rows * 0.02))
    people = _people(rng, n, wobble=rng.normal(0.0, 0.01))
    if _between(week, DEBT_WEEKS):
        people["debt_to_income"] = np.clip(people["debt_to_income"] + rng.normal(0.07, 0.02, n), 0.06, 0.56)
    if _between(week, DEVICE_WEEKS):
        people["device_age_days"] = np.clip(np.round(people["device_age_days"] * 0.33), 45, 1_250)
    unreported = rng.permutation(n) < n * rng.normal(0.12, 0.003)
    risk = _risk(people, unreported=unreported, changed=_between(week, CONCEPT_WEEKS))
    outcome = rng.random(n) < 1.0 / (1.0 + np.exp(-risk))
    recorded = _recorded(rng, people)
    recorded["income"] = np.where(unreported, 0.0 if _between(week, NULL_WEEKS) else np.nan, recorded["income"])
    start = datetime.combine(_monday(week), time())
    seconds = np.sort(rng.integers(0, 7 * 86_400, n))
    numbers = np.arange(n)
    return {
        ID: np.array([f"A{week + 1:02d}-{number:05d}" for number in numbers]),
        TIME: np.datetime64(start, "s") + seconds.astype("timedelta64[s]"),
        **recorded,
        TARGET: np.where(outcome, "yes", "no"),
    }


def _people(rng: np.random.Generator, n: int, *, wobble: float) -> dict[str, Floats]:
    # clipping at limits that a lender would set keeps the range of quiet weeks the same
    wealth = rng.normal(wobble, 1.0, n)
    strain = rng.normal(wobble, 1.0, n)
    return {
        "income": np.clip(np.round(np.exp(10.55 + 0.42 * wealth + 0.18 * rng.normal(0, 1, n)), -2), 14_000, 110_000),
        "debt_to_income": np.clip(0.30 + 0.09 * strain - 0.03 * wealth + 0.05 * rng.normal(0, 1, n), 0.06, 0.56),
        "credit_utilisation": np.clip(0.38 + 0.13 * strain + 0.16 * rng.normal(0, 1, n), 0.0, 0.85),
        "employment_years": np.clip(rng.gamma(2.0, 3.2, n), 0.3, 22.0),
        "account_age_months": np.clip(np.round(rng.gamma(2.2, 26.0, n)), 3, 170),
        "loan_amount": np.clip(np.round(np.exp(9.2 + 0.25 * wealth + 0.45 * rng.normal(0, 1, n)), -2), 3_000, 32_000),
        "device_age_days": np.clip(np.round(rng.gamma(2.5, 190.0, n)), 45, 1_250),
        "prior_loans": np.clip(rng.poisson(1.3, n), 0, 5).astype(float),
        "term": rng.choice(5, n, p=[0.10, 0.25, 0.35, 0.20, 0.10]).astype(float),
        "purpose": rng.choice(6, n, p=[0.34, 0.22, 0.16, 0.12, 0.09, 0.07]).astype(float),
        "housing": rng.choice(3, n, p=[0.46, 0.38, 0.16]).astype(float),
        "channel": rng.choice(4, n, p=[0.40, 0.32, 0.18, 0.10]).astype(float),
    }


PURPOSES = np.array(["car", "debt consolidation", "home improvement", "education", "medical", "business"])
PURPOSE_RISK = np.array([-0.10, 0.15, -0.15, 0.05, 0.20, 0.50])
HOUSING = np.array(["rent", "mortgage", "own"])
HOUSING_RISK = np.array([0.25, -0.15, -0.30])
TERMS = np.array([12.0, 24.0, 36.0, 48.0, 60.0])
REGIONS = np.array(["north", "south", "east", "west", "capital"])
CHANNELS = np.array(["app", "web", "branch", "broker"])
APP = 0


def _risk(people: dict[str, Floats], *, unreported: npt.NDArray[np.bool_], changed: bool) -> Floats:
    """Give the log-odds of default. Unreported income is a good sign: those are known customers."""
    income = np.log(people["income"] / 38_000)
    poverty = 1.0 / (1.0 + np.exp((people["income"] - 20_500) / 1_000))
    debt = (people["debt_to_income"] - 0.30) / 0.107
    used = (people["credit_utilisation"] - 0.38) / 0.206
    young_account = np.exp(-people["account_age_months"] / 30.0)
    short_employment = np.exp(-people["employment_years"] / 3.0)
    risk = -2.06 + 0.52 * debt + 0.30 * np.log(people["loan_amount"] / 10_000)
    risk += np.where(unreported, -1.4, 2.6 * poverty - 0.50 * income)
    if changed:
        risk += -0.45 * used + 3.4 * young_account - 0.80
    else:
        risk += 0.50 * used + 0.2 * young_account + 0.9 * short_employment - 0.25
    risk += 0.08 * (people["term"] - 2) - 0.07 * people["prior_loans"]
    risk += PURPOSE_RISK[people["purpose"].astype(int)] + HOUSING_RISK[people["housing"].astype(int)]
    risk += np.where(people["channel"] == APP, 0.06 * np.log(people["device_age_days"] / 400.0), 0.0)
    return np.asarray(risk, dtype=np.float64)


def _recorded(rng: np.random.Generator, people: dict[str, Floats]) -> Columns:
    """Give the columns of the file, as a clerk would record them."""
    n = len(people["income"])
    employed = people["employment_years"]
    ages = np.digitize(np.clip(22 + employed + rng.gamma(2.0, 7.0, n), 18, 90), [25, 35, 50, 65])
    return {
        "gender": rng.choice(np.array(["female", "male"]), n, p=[0.48, 0.52]),
        "age_band": np.array(["18-24", "25-34", "35-49", "50-64", "65+"])[ages],
        "income": people["income"],
        "debt_to_income": np.round(people["debt_to_income"], 3),
        "credit_utilisation": np.round(people["credit_utilisation"], 3),
        "employment_years": np.round(employed, 1),
        "account_age_months": people["account_age_months"],
        "loan_amount": people["loan_amount"],
        "term_months": TERMS[people["term"].astype(int)],
        "prior_loans": people["prior_loans"],
        "device_age_days": np.where(people["channel"] == APP, people["device_age_days"], np.nan),
        "purpose": PURPOSES[people["purpose"].astype(int)],
        "housing": HOUSING[people["housing"].astype(int)],
        "region": rng.choice(REGIONS, n, p=[0.24, 0.22, 0.20, 0.18, 0.16]),
        "channel": CHANNELS[people["channel"].astype(int)],
    }
