"""A small model that went through the verbs, as files and as a home: what the page tests look at."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from streamlit.testing.v1 import AppTest

from pipeline_core.flows import intake, release
from pipeline_core.flows.compute import in_process
from pipeline_core.service import host
from pipeline_core.store.home import Store

MODEL = "loans"
START = datetime(2025, 1, 6)  # ruff: ignore[call-datetime-without-tzinfo]  # as it stands in the file
DEFINITION: dict[str, Any] = {
    "target": "outcome", "positive": "yes", "time": "opened_at", "id": "loan_id", "protected": ("gender",), "exclude": (),
}  # fmt: skip


def file(folder: Path, week: int, *, rows: int = 500, broken: bool = False, labelled: bool = True) -> Path:
    """Write a week of loans as CSV; a broken one lacks the column that matters most."""
    random = np.random.default_rng(week)
    amount = random.normal(10, 3, rows)
    plan = random.choice(np.array(["basic", "plus", "extra"]), rows)
    signal = 0.5 * (amount - 10) + (plan == "basic") + random.normal(size=rows)
    begin = START + timedelta(weeks=week)
    columns: dict[str, Any] = {
        "loan_id": [f"w{week}-{i:04d}" for i in range(rows)],
        "opened_at": [(begin + timedelta(minutes=20 * i)).isoformat() for i in range(rows)],
        "amount": np.round(amount, 2),
        "income": np.round(random.normal(50, 12, rows), 1),
        "plan": plan,
        "gender": random.choice(np.array(["f", "m"]), rows),
        "outcome": np.where(signal > 0.4, "yes", "no"),
    }
    if broken:
        columns.pop("amount")
    if not labelled:
        columns.pop("outcome")
    path = folder / f"loans-{week}{'-broken' if broken else ''}.csv"
    pyarrow.csv.write_csv(pa.table(columns), path)
    return path


def labels(folder: Path, week: int, *, rows: int = 500) -> Path:
    """Write the ground truth of a week that came without it."""
    full = pyarrow.csv.read_csv(file(folder, week, rows=rows))
    path = folder / f"labels-{week}.csv"
    pyarrow.csv.write_csv(full.select(["loan_id", "outcome"]), path)
    return path


def take(home: Store, tmp_path: Path, stage: str) -> None:
    """Take the model as it stands after a stage into a home; each stage is lived once a session, beside the test's folder.

    ``defined``; ``champion``: v1 promoted, a week scored, a week quarantined; ``challenger``: v2 trained on three more
    weeks; ``challenged``: with its verdict.
    """
    folder = tmp_path.parent / f"loans-{stage}"
    if not folder.exists():
        folder.mkdir()
        with Store.open(folder / "home") as store:
            for step in STAGES[: STAGES.index(stage) + 1]:
                _STEPS[step](store, folder)
    home.absorb(folder / "home", MODEL)


def _define(store: Store, folder: Path) -> None:
    intake.define(store, MODEL, file(folder, 0, rows=800), source="week-0.csv", **DEFINITION)


def _champion(store: Store, folder: Path) -> None:
    release.train(store, MODEL, compute=in_process)
    release.promote(store, MODEL, version=1, by="Ada", reason="the first one")
    second = intake.receive(store, MODEL, file(folder, 1), source="week-1.csv")
    intake.score(store, MODEL, batch_id=second.batch_id)
    intake.receive(store, MODEL, file(folder, 2, broken=True), source="week-2.csv")


def _challenger(store: Store, folder: Path) -> None:
    intake.receive(store, MODEL, file(folder, 3, rows=2_500), source="week-3.csv")
    # the truth is linear, so that the gate lets this one pass
    release.train(store, MODEL, estimator="logistic_regression", compute=in_process)


def _challenged(store: Store, _folder: Path) -> None:
    release.challenge(store, MODEL, version=2)


_STEPS = {"defined": _define, "champion": _champion, "challenger": _challenger, "challenged": _challenged}
STAGES = list(_STEPS)


def finish_jobs(at: AppTest, *, timeout_s: float = 90) -> AppTest:
    """Wait for the worker and let the page see what it did."""
    store = host.host().store
    deadline = time.monotonic() + timeout_s
    while store.jobs.list(active=True):
        assert time.monotonic() < deadline, store.jobs.list(active=True)
        time.sleep(0.1)
    assert not [job.error for job in store.jobs.list() if job.error]
    at.run()
    assert not at.exception, [e.value for e in at.exception]
    return at


def said(at: AppTest) -> str:
    """Give all text of a page in one piece."""
    parts = [
        e.value
        for kind in ("title", "markdown", "caption", "error", "warning", "success", "info")
        for e in at.get(kind)
    ]
    return "\n".join(str(part) for part in parts)


def promote_again(store: Store) -> None:
    """Train a third version, challenge it, and let the second one overtake it."""
    release.train(store, MODEL, estimator="logistic_regression", compute=in_process)
    release.challenge(store, MODEL, version=3)
    release.promote(store, MODEL, version=2, by="Grace", reason="first come")
