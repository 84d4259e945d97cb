"""A model whose every name and text was chosen by somebody who means harm, made through the ordinary verbs."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.errors import PipelineError
from pipeline_core.flows import compute, feeds, intake, release, watch
from pipeline_core.records import Feed, FeedKind
from pipeline_core.store.home import Store

MODEL = "hostile"
FAR = "http://evil.example"
LONG = "long " + "wide <i>name</i> " * 8
SCRIPT = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(1)>"
BEACON = f"![x]({FAR}/x.png)"
FEATURES = (
    SCRIPT,
    IMAGE,
    BEACON,
    r"$\LaTeX$ $$\frac{1}{2}$$",
    ":smile: :material/bolt: :red[x]",
    "[a](javascript:alert(1))",
    "\"double\" 'single' `code`",
    "{{ x }} {% y %} %s %(z)s ${q}",
    "%{x} %{y} %{customdata[0]}",
    f"<b>bold</b><br><a href='{FAR}'>link</a>",
    "<svg/onload=alert(1)>",
    "=cmd|'/c calc'!A0",
    "# head - item | a | b |",
    f"{FAR}/auto www.evil.example a@evil.example",
    "&lt;i&gt; &amp; &#60;i&#62;",
    "1",
    "2024-01-01",
    "\N{PILE OF POO} caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET}",
    LONG[:124] + " (a)",
    LONG[:62] + "@" + LONG[63:124] + " (b)",
)
TOWN, TARGET, TIME, ID = "**town** <u>x</u>", "<b>late</b>", "when` ${x}", "id](http://evil.example)"
YES, NO = "<b>yes</b> [y](javascript:alert(1))", "=no :red[x]"
LEVELS = (SCRIPT, IMAGE, BEACON, "=1+1", "$a$ :smile:", "[a](javascript:alert(1))", LONG, LONG[:60] + "?" + LONG[61:])
SOURCE = f"{IMAGE} {BEACON} [a](javascript:alert(1)) :red[x] $x$.csv"
BY = "<b>Ada</b> %{x} :red[x]"
REASON = f"{SCRIPT} {BEACON} [a](javascript:alert(1)) $x$"
START = datetime(2026, 1, 5, tzinfo=UTC)


def rows(count: int, *, seed: int, day: int, shift: float = 0.0) -> pa.Table:
    """Ten rows an hour; every feature says something, the first ones most, and ``shift`` moves them all."""
    rng = np.random.default_rng(seed)
    values = rng.normal(shift, 1.0, (len(FEATURES), count))
    town = rng.integers(0, len(LEVELS), count)
    weight = np.geomspace(1.0, 0.05, len(FEATURES))
    risk = weight @ (values - shift) + (town == 0)
    truth = rng.random(count) < 1 / (1 + np.exp(-risk))
    return pa.table({
        ID: [f"{IMAGE}{seed}-{i}" for i in range(count)],
        TIME: [START + timedelta(days=day, minutes=6 * i) for i in range(count)],
        **dict(zip(FEATURES, values, strict=True)),
        TOWN: [LEVELS[(i + (2 if shift else 0)) % 3 if shift else i] for i in town],
        TARGET: [YES if late else NO for late in truth],
    })


def scene(home: Path) -> None:
    """Take the model through the whole loop, with alerts, a quarantined batch and a challenger with a verdict."""
    home.mkdir(parents=True)
    files = home.parent / "files"
    files.mkdir()

    def file(name: str, table: pa.Table) -> Path:
        pq.write_table(table, files / f"{name}.parquet")
        return files / f"{name}.parquet"

    with Store.open(home) as store:
        first = file("first", rows(1500, seed=1, day=0))
        roles = {"target": TARGET, "positive": YES, "time": TIME, "id": ID, "source": SOURCE}
        intake.define(store, MODEL, first, **roles)  # type: ignore[typeddict-item]
        _version(store, 1)
        for week, shift in ((1, 0.0), (2, 1.0)):
            later = file(f"later{week}", rows(1500, seed=week + 1, day=7 * week, shift=shift))
            intake.score(store, MODEL, later, source=SOURCE)
        broken = rows(300, seed=9, day=15).drop_columns([SCRIPT, IMAGE])
        intake.receive(store, MODEL, file("broken", broken.append_column(f"{BEACON}2", broken[BEACON])), source=SOURCE)
        watch.check(store, MODEL)
        folder = Feed(
            name="inbox", model=MODEL, kind=FeedKind.FOLDER, settings={"root": f"/{BEACON} {IMAGE}"}, added_at=store.now()
        )  # fmt: skip
        feeds.add_source(store, folder)
        with suppress(PipelineError):  # there is no such folder: the page repeats its name
            feeds.run_source(store, folder.name)
        alert = store.signals.alerts(MODEL)[-1]
        store.signals.acknowledge(alert.alert_id, by=BY, at=datetime.now(UTC), note=REASON)
        release.train(store, MODEL, estimator="logistic_regression", compute=compute.in_process)
        release.challenge(store, MODEL)


def _version(store: Store, number: int) -> None:
    release.train(store, MODEL, estimator="logistic_regression", compute=compute.in_process)
    release.challenge(store, MODEL, version=number)
    release.promote(store, MODEL, version=number, by=BY, reason=REASON)
