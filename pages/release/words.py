"""How versions and runs read; pure. Foreign names are escaped here."""

from __future__ import annotations

from collections.abc import Mapping

from pages.release.reads import Shelf
from pages.ui import periods, verdicts, wording
from pages.ui.wording import State
from pipeline_core.policy import Policy
from pipeline_core.records import Decision, Figure, Measured, ModelVersion, Schema, TimeUnit

ESTIMATORS: Mapping[str, str] = {
    "hist_gradient_boosting": "Gradient boosting (the default)",
    "logistic_regression": "Linear model (plain and quick)",
    "random_forest": "Random forest (steady, slower)",
    "lightgbm": "LightGBM (quick on many rows)",
}


def estimator(name: str) -> str:
    """Give an estimator with what it is good for."""
    return ESTIMATORS.get(name, f"{wording.plain(name)} (named by the policy)")


def estimator_name(name: str) -> str:
    """Give an estimator's name alone."""
    return ESTIMATORS[name].split(" (")[0] if name in ESTIMATORS else name


def run_defaults(shelf: Shelf, schema: Schema, policy: Policy) -> str:
    """Say what a run does with which defaults, and how long the last one took."""
    kept = "a fixed" if schema.time_unit is TimeUnit.NONE else "the newest"
    last = f" The last run took {wording.duration(shelf.versions[0].run.duration_s)}." if shelf.versions else ""
    return (
        f"Fits on {wording.count(shelf.labelled_rows, 'labelled row')}, keeps {kept} {wording.percent(policy.holdout_share, digits=0)}"
        f" of them apart to judge the version, and explains it by SHAP on up to {policy.shap_rows:,} of these; seed {policy.seed}."
        f" Runs in the background.{last}"
    )


def too_few(shelf: Shelf, policy: Policy) -> str:
    """Say why nothing can be trained yet."""
    return (
        f":material/block: {wording.count(shelf.labelled_rows, 'labelled row')} so far; the policy asks for at least"
        f" {policy.train_rows_min:,}. Receive a batch with the target, or labels, on the Batches page."
    )


def data_period(version: ModelVersion, schema: Schema) -> str:
    """Name the event times of the rows that a version was made from."""
    return periods.period(version.dataset.first_event_at, version.dataset.last_event_at, schema)


def made_of(version: ModelVersion, schema: Schema) -> dict[str, str]:
    """List what a version was made from, as question and answer."""
    data, run = version.dataset, version.run
    since = f" (from {wording.moment(data.holdout_from, schema)})" if data.holdout_from else ""
    return {
        "Rows": f"{data.rows:,} from {wording.count(len(data.batches), 'batch')}",
        "Fitted on": wording.count(data.fit_rows, "row"),
        "Held out": f"{wording.count(data.holdout_rows, 'row')}{since}",
        "Period": data_period(version, schema),
        "Dataset": f"`{data.sha256[:12]}`",
        "Run": f"{wording.clock(run.started_at)}, {wording.duration(run.duration_s)}, seed {run.seed}",
        "Code": f"`{run.code_version[:24]}`",
    }


def headline(version: ModelVersion) -> str:
    """Give the leading metric of a version with its interval: ``"AUC 0.801 (0.78–0.82)"``."""
    name = wording.primary_metric(version.metrics)
    if name is None:
        return "no metric"
    return f"{wording.metric_name(name)} {wording.interval(version.metrics[name])}"


def made(shelf: Shelf, number: int) -> str:
    """Say when a version was made and how good it is."""
    version = shelf.numbered(number)
    return "" if version is None else f"{wording.day(version.created_at)}, {headline(version)}"


def value(figure: Figure) -> float | None:
    """Give the figure alone."""
    return figure.value if isinstance(figure, Measured) else None


def training_state(shelf: Shelf) -> State:
    """Say how the training page stands: without a champion nothing is known yet, one that passed barely is to be watched."""
    if doubt(shelf):
        return State.WATCH
    return State.OK if shelf.champion else State.UNKNOWN


def doubt(shelf: Shelf) -> str:
    """Say why the champion, or the version that may become the first one, may be no better than no model."""
    if shelf.champion:
        return verdicts.doubt(shelf.crowned)
    return verdicts.doubt(shelf.verdict(shelf.challengers[0].version)) if shelf.ready else ""


def training(shelf: Shelf, schema: Schema) -> str:
    """Say what could replace the champion."""
    model = wording.safe(schema.model)
    if not shelf.versions:
        return f"**{model}** has no version yet; {wording.count(shelf.labelled_rows, 'labelled row')} can teach one."
    champion = shelf.champion
    opening = f"**v{champion.version}** is champion of **{model}**" if champion else f"**{model}** has no champion yet"
    if not shelf.challengers:
        return (
            f"{opening}, {headline(champion)} on its hold-out.{_barely(shelf)} No challenger waits."
            if champion
            else f"{opening}."
        )
    newest = shelf.challengers[0]
    rest = len(shelf.challengers) - 1
    others = f" {wording.count(rest, 'older challenger')} {'waits' if rest == 1 else 'wait'} too." if rest else ""
    verdict = shelf.verdict(newest.version)
    if verdict is None or verdict.epoch != shelf.epoch:
        return (
            f"{opening}. **v{newest.version}** waits to be challenged: {headline(newest)} on its own hold-out.{others}"
        )
    said = {
        Decision.PROMOTE: "passed its challenge and waits to be promoted",
        Decision.KEEP: "lost its challenge",
        Decision.INSUFFICIENT: "was challenged on too few rows to say",
    }[verdict.verdict]
    if verdict.blocked_by_bias:
        said = "passed the gate and is blocked by the bias audit"
    return f"{opening}. **v{newest.version}** {said}.{_barely(shelf)}{others}"


def _barely(shelf: Shelf) -> str:
    found = doubt(shelf)
    return f" {found}" if found else ""
