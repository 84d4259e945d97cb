"""How a training reads in a terminal: what was fitted, how good it is, what was tried, and what looks like a leak.

Neighbours: ``lines`` asks for it, ``terminal`` sets values. It computes nothing: a figure that is not in the answer is not printed.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline_core.service.terminal import Content, cell, figure, plain

FEATURES_SHOWN = 5
TRIALS_SHOWN = 3


def trained(content: Content) -> list[str]:
    """Put the answer of ``train`` into lines.

    Parameters
    ----------
    content : mapping
        A dumped ``ModelVersion``.

    Returns
    -------
    list of str
    """
    dataset, run = content["dataset"], content["run"]
    said = [
        f"Version {content['version']} ({plain(run['estimator'])}) trained on {dataset['fit_rows']:,} rows, "
        f"held out {dataset['holdout_rows']:,}, in {run['duration_s']:.1f} s",
    ]
    said += [f"  {name}: {figure(value)}" for name, value in content["metrics"].items()]
    top = sorted(content["shap_shares"].items(), key=lambda item: -item[1])[:FEATURES_SHOWN]
    said.append("  most important: " + ", ".join(f"{plain(name)} {share:.1%}" for name, share in top))
    return [*said, *_tried(run), *_warned(content)]


def _tried(run: Content) -> Iterator[str]:
    searched, validated, calibration = run.get("search"), run.get("cross_validation"), run.get("calibration")
    if searched:
        yield f"  search: {len(searched['trials']) - 1} candidates beside the given settings; kept {_settings(searched['kept'])}"
        for trial in searched["trials"][:TRIALS_SHOWN]:
            yield f"    {searched['metric']} {cell(trial['mean'])} ± {cell(trial['spread'])}: {_settings(trial['settings'])}"
    if validated:
        how = (
            "each judged by a fit on the rows before it"
            if validated["by_time"]
            else "each judged by a fit on the others"
        )
        summed = "-" if validated["mean"] is None else f"{cell(validated['mean'])} ± {cell(validated['spread'])}"
        yield f"  {len(validated['folds'])} folds of the fitted rows ({how}): {validated['metric']} {summed}"
        for fold in validated["folds"]:
            since = f" from {fold['first_event_at'][:10]}" if fold["first_event_at"] else ""
            yield f"    {fold['rows']:,} rows{since}: {figure(fold['figure'])}"
    if calibration:
        kept = "kept" if calibration["kept"] else "not kept, because it does not surely help"
        yield f"  calibration ({calibration['method']}): {kept}; Brier score falls by {figure(calibration['brier_gain'])}"


def _settings(settings: Content) -> str:
    return ", ".join(f"{plain(name)}={cell(value)}" for name, value in settings.items()) or "the given settings"


def _warned(content: Content) -> Iterator[str]:
    warnings = content["run"].get("warnings", ())
    for finding in warnings:
        yield f"  {finding['severity']:<7}  {finding['code']}: {plain(finding['message'])}"
    if any(finding["severity"] == "warning" for finding in warnings):
        yield "  To exclude a column, define the model again: define MODEL --data FILE ... --exclude COLUMN"
