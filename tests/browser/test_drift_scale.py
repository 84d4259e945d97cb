"""A year of days by a hundred features: what a click on a cell of the drift page costs in bytes, and how long it takes."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Page, WebSocket

from pipeline_core.records import (
    COUNTS,
    AlertLevel,
    BaselineChoice,
    BaselineKind,
    Coherence,
    Column,
    ColumnBaseline,
    ColumnType,
    DomainTest,
    DriftState,
    Examination,
    FeatureDrift,
    Grid,
    Impact,
    NullChange,
    Origin,
    Period,
    Promotion,
    Role,
    Rule,
    Schema,
    SegmentDrift,
    WatchReport,
    WindowReport,
)
from pipeline_core.store import Store
from tests.browser.conftest import App, open_page, running_app, settled
from tests.pages import conftest as scene

FEATURES, DAYS, PAST_DAYS, ROWS = 100, 365, 90, 40
MODEL, BYTES_MAX, CLICKS = "wide", 300_000, 7
FIRST = scene.DAY
NAMES = [f"measured_quantity_{i:03d}" for i in range(FEATURES)]
SHARES = {name: 2 * (FEATURES - i) / (FEATURES * (FEATURES + 1)) for i, name in enumerate(NAMES)}
OBSERVE = """() => {
  window.runs = [];
  const app = document.querySelector('[data-testid="stApp"]');
  new MutationObserver(() => window.runs.push([performance.now(), app.getAttribute('data-test-script-state')]))
    .observe(app, {attributes: true, attributeFilter: ['data-test-script-state']});
  document.addEventListener('mouseup', () => { window.clicked = performance.now(); window.runs = []; }, true);
}"""
ENDED = "() => window.runs.length > 1 && window.runs.at(-1)[1] === 'notRunning'"


def wide_schema() -> Schema:
    columns = [
        Column(column_id=f"f{i:03d}", name=name, type=ColumnType.NUMBER, role=Role.FEATURE)
        for i, name in enumerate(NAMES)
    ]
    return replace(
        scene.schema(MODEL),
        columns=(*columns, *scene.schema().columns[-2:]),
        baselines=tuple(ColumnBaseline(column_id=c.column_id, rows=1000, null_share=0.0, distinct=9) for c in columns),
        grids=tuple(Grid(column_id=c.column_id, kind="value") for c in columns),
    )


def put_batch(store: Store, number: int, *, first: datetime, days: int) -> None:
    """Put days of rows into the store with their counts; every column counts from 0 to 39 each day."""
    at = np.repeat(
        np.array([first.replace(tzinfo=None) + timedelta(days=d) for d in range(days)], "datetime64[us]"), ROWS
    )
    value, n = np.tile(np.arange(ROWS, dtype=np.float64), days), days * ROWS
    rows = pa.table(
        {"row_id": [f"{number}-{i}" for i in range(n)], "row_number": np.arange(n), "event_at": at}
        | {f"f{i:03d}": value for i in range(FEATURES)}
        | {"c008": pa.nulls(n, pa.string()), "c009": at}
    )
    counts = pa.table(
        {
            "column_id": np.repeat([f"f{i:03d}" for i in range(FEATURES)], n),
            "bucket": np.tile(at, FEATURES),
            "cell": np.tile(value, FEATURES),
            "level": pa.nulls(n * FEATURES, pa.string()),
            "n": np.ones(n * FEATURES, dtype=np.int64),
        },
        schema=COUNTS,
    )
    last = first + timedelta(days=days, seconds=-1)
    report = replace(
        scene.batch(number, model=MODEL, rows=n), batch_id=f"b-{number:04d}", first_event_at=first, last_event_at=last
    )
    with store.work_dir() as work:
        pq.write_table(rows, work / "rows.parquet")
        store.batches.add(report, rows=work / "rows.parquet", counts=counts)


def feature(name: str, effect: float, *, rank: int, day: int) -> FeatureDrift:
    drifted = effect >= 0.1
    loud = AlertLevel.PAGE if rank <= FEATURES // 4 else AlertLevel.WATCH
    return FeatureDrift(
        feature=name,
        test="ks",
        statistic=effect,
        p_value=0.0002 if drifted else 0.4,
        p_adjusted=0.0004 if drifted else 0.7,
        effect=effect,
        drifted=drifted,
        state=DriftState.DRIFTED if drifted else DriftState.STABLE,
        shap_share=SHARES[name],
        shap_rank=rank,
        nulls=NullChange(baseline=0.02, current=0.02, p_value=1.0, p_adjusted=1.0),
        contribution=SHARES[name] * effect,
        smallest_detectable=0.12,
        p_calibrated=0.02 if drifted else 0.8,
        healthy_effect=0.07,
        windows_drifted=2 if drifted else 0,
        hard_evidence=("in batch b-0002: 0 is in 12 % of the values, in the baseline in none.",) if drifted and not rank % 5 else (),
        alert=loud if drifted else AlertLevel.NONE,
        reason=f"{name}: distribution moved by D = {effect:.2f} (p = 0.020; healthy windows stay below 0.07)"
        if drifted
        else f"{name}: stable, D = {effect:.2f}, at most 0.08 (floor 0.10)",
    )  # fmt: skip


def examined() -> Examination:
    moved = NAMES[3]
    return Examination(
        rows=2_000,
        baseline_rows=3_600,
        impacts=(Impact(feature=moved, mean_change=0.031, shift=-0.012),),
        joint=Impact(feature=moved, mean_change=0.044, shift=-0.02),
        fault_loss=0.008,
        coherence=Coherence(
            feature=moved, origin=Origin.FAULT, ratio=0.1, strength=180.0, reason="only this column moved: 10 % of the shift that the others should show"
        ),
        domain=DomainTest(auc=0.71, p_value=0.001, drifted=True, features={moved: 0.8}, reason="rows are told apart: AUC 0.71 (p = 0.001)"),
        attributions={name: (SHARES[name], SHARES[name] * (1.3 if name == moved else 0.98)) for name in NAMES},
        segments=(
            SegmentDrift(by="region", segment="<b>north</b>", rows=210, share=0.1, feature=NAMES[0], effect=0.41, overall=0.06, p_value=0.0001, p_adjusted=0.002),
        ),
    )  # fmt: skip


def year() -> WatchReport:
    """A check of 365 days by 100 features; one feature drifts in the last month, the newest day was looked at."""
    noise = np.random.default_rng(7).uniform(0.01, 0.08, (DAYS, FEATURES))
    noise[-30:, 3] = 0.28
    noise[100:104, 60] = 0.5
    plain = scene.window(0)
    windows = []
    for day in range(DAYS):
        found = tuple(feature(n, float(noise[day, i]), rank=i + 1, day=day) for i, n in enumerate(NAMES))
        windows.append(
            WindowReport(
                start=FIRST + timedelta(days=day),
                end=FIRST + timedelta(days=day + 1),
                rows=ROWS,
                alert=AlertLevel.PAGE if day >= DAYS - 30 else AlertLevel.NONE,
                reasons=(),
                weighted_drift=sum(f.contribution for f in found),
                features=found,
                prediction_drift=plain.prediction_drift,
                performance=plain.performance,
                baseline_rows=PAST_DAYS * ROWS,
                calibrated=True,
                weighted_limit=0.05,
                examined=examined() if day == DAYS - 1 else None,
            )
        )
    past = FIRST - timedelta(days=PAST_DAYS)
    return WatchReport(
        model=MODEL,
        version=1,
        window="1d",
        baseline_rows=PAST_DAYS * ROWS,
        checked_at=FIRST + timedelta(days=DAYS),
        windows=tuple(windows),
        baseline=BaselineChoice(
            model=MODEL, number=0, kind=BaselineKind.TRAINING, decided_by="the data", decided_at=FIRST, reason="no season is clearly nearer"
        ),
        rule=Rule(words="Calibrated on 90 healthy windows: a feature pages in 2 of 3.", calibrated=True, healthy_windows=PAST_DAYS, fired=1, tried=PAST_DAYS),
        past=tuple(Period(start=past + timedelta(days=d), end=past + timedelta(days=d + 1), rows=ROWS) for d in range(PAST_DAYS)),
    )  # fmt: skip


def seed(home: Path) -> None:
    """Write the year straight through the store."""
    store = Store.open(home)
    store.models.define(wide_schema())
    put_batch(store, 1, first=FIRST - timedelta(days=PAST_DAYS), days=PAST_DAYS)
    put_batch(store, 2, first=FIRST, days=DAYS)
    with store.work_dir() as work, store.transaction():
        file = work / "model.skops"
        file.write_bytes(b"a pipeline")
        version = scene.version(1, store.artifacts.put(file), model=MODEL)
        store.models.add_version(replace(version, shap_shares=SHARES))
        store.models.apply(
            Promotion(
                model=MODEL, epoch=1, version=1, previous=None, action="promote", by="Ada", reason="first", verdict_id=None, at=FIRST
            )
        )  # fmt: skip
    store.signals.put_windows(year())
    store.close()


@pytest.fixture(scope="module")
def app(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app on the year."""
    home = tmp_path_factory.mktemp("wide") / "home"
    seed(home)
    with running_app(home, demo=False) as running:
        yield running


def heard(page: Page) -> list[int]:
    """Count the bytes of every frame that comes over the websocket."""
    sizes: list[int] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda payload: sizes.append(len(payload)))

    page.on("websocket", listen)
    return sizes


def click_cells(page: Page, sizes: list[int], *, rows: int) -> tuple[list[float], list[int]]:
    """Click cells of the map; give milliseconds until the app stood still, and bytes received, click by click."""
    box = page.locator(".st-key-heat .nsewdrag").nth(2).bounding_box()
    assert box is not None
    page.evaluate(OBSERVE)
    times, received = [], []
    for turn in range(CLICKS):
        page.wait_for_timeout(700)
        before, url = len(sizes), page.url
        x, y = box["x"] + box["width"] * (0.1 + 0.12 * turn), box["y"] + box["height"] * (2 * turn + 1.5) / rows
        page.mouse.move(x, y)
        page.wait_for_timeout(200)
        page.mouse.click(x, y)
        page.wait_for_function(ENDED)
        times.append(page.evaluate("() => window.runs.at(-1)[0] - window.clicked"))
        received.append(sum(sizes[before:]))
        assert page.url != url, "the cell that was clicked stands in the URL"
    return times, received


def test_a_click_on_a_cell_stays_light(browser: Browser, app: App) -> None:
    page = open_page(browser, width=1280, height=1100)
    sizes = heard(page)
    page.goto(f"{app.url}/drift?model={MODEL}")
    settled(page)
    assert page.get_by_test_id("stException").count() == 0
    first = sum(sizes)
    times, received = click_cells(page, sizes, rows=20)
    shown = ", ".join(f"{t:.0f}" for t in times)
    print(f"\n{FEATURES} features x {DAYS} days: the page {first / 1000:,.0f} kB; a click {statistics.median(times):.0f} ms"
          f" (median of {shown}), {max(received) / 1000:,.0f} kB at most")  # fmt: skip
    assert max(received) < BYTES_MAX
    page.context.close()
