"""The heat map of the drift page: features by SHAP share x windows, with its legend, its table and what a click does.

Neighbours: ``drift_charts`` draws it, ``evidence`` shows what a chosen cell holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.ui import drift_charts, panels, session, wording
from pages.watch import signals, words
from pipeline_core.policy import Policy
from pipeline_core.records import AlertLevel, DriftState, Schema, WatchReport, WindowReport

CELLS_MAX = 20_000


def heat(windows: Sequence[WindowReport], schema: Schema, report: WatchReport, *, at: tuple[str, WindowReport]) -> None:
    """Draw the heat map of the features that matter most, or of all where that was asked for.

    The cell that is picked (``at``: feature and window) is framed where cells are wide enough to see it. Where they are not, the
    figure is the same whatever is picked: made once, and neither sent nor drawn again when a cell is clicked.
    """
    feature, window = at
    total, key = len(window.features), (schema.model, report.window, session.period())
    most = total if st.session_state.get("heat_all") else drift_charts.FEATURES_MAX
    names = session.once((*key, "names", most), lambda: drift_charts.shown_features(windows, most=most))
    shown, cut = drawn(windows, window, room=max(1, CELLS_MAX // max(len(names), 1)))
    framed = (feature, wording.window_key(window.start)) if len(shown) <= drift_charts.GAPS_MAX else None
    figure = session.once(
        (*key, "heat", most, shown[0].start, framed),
        lambda: drift_charts.heat_map(
            shown, schema=schema, title=words.heat_title(windows), picked=framed, names=names
        ),
    )
    panels.chart(
        figure,
        key=f"heat{st.session_state.get('heat_turn', '')}",
        alt=f"Effect of {len(names)} of {total} features, by SHAP share, in {len(shown)} windows; the top row is the weighted drift",
        table=lambda: heat_rows(windows, schema),
        on_point=lambda clicked: pick(clicked, names, shown),
    )
    policy = session.store().policy
    st.markdown(session.once((*key, "legend", cut), lambda: legend(windows, policy=policy, cut=cut)))
    if total > drift_charts.FEATURES_MAX:
        st.toggle(
            f"Show all {total} features, not only the {drift_charts.FEATURES_MAX} that matter or moved most",
            key="heat_all",
        )


def elsewhere(**picked: str) -> None:
    """Take what was picked beside the map into the URL: a map that is not drawn again would still hold the cell that was clicked."""
    st.session_state["heat_turn"] = st.session_state.get("heat_turn", 0) + 1
    session.ask(**picked)


def drawn(windows: Sequence[WindowReport], window: WindowReport, *, room: int) -> tuple[Sequence[WindowReport], str]:
    """Give the newest windows that there is room for, back to the chosen one, and what is left out."""
    if len(windows) <= room:
        return windows, ""
    end = len(windows) if window in windows[-room:] else min(len(windows), windows.index(window) + room // 2)
    first = max(0, end - room)
    told = f" Windows {first + 1:,} to {end:,} of {len(windows):,} are drawn; the table holds all."
    return windows[first:end], told


def legend(windows: Sequence[WindowReport], *, policy: Policy, cut: str = "") -> str:
    """Say how to read the marks that are on the heat map, with the words of the states."""
    page, watch = wording.State.PAGE, wording.State.WATCH
    features = [drift for window in windows for drift in window.features]
    levels = {drift.alert for drift in features}
    told = []
    if AlertLevel.PAGE in levels:
        told.append(f":{wording.badge_colour(page)}[● {wording.word(page)}]: drifted, and the model leans on it.")
    if AlertLevel.WATCH in levels:
        told.append(f":{wording.badge_colour(watch)}[○ {wording.word(watch)}]: {_watched(windows, policy)}.")
    if any(drift.state is DriftState.UNCLEAR for drift in features):
        told.append("Stroke: too few rows to say.")
    if any(window.calibrated and window.weighted_limit is not None for window in windows):
        told.append("Dotted: 95 % of healthy windows stay below.")
    return f":small[{' '.join(told)} The stronger the blue, the further from the baseline. Click a cell to see what changed.{cut}]"


def _watched(windows: Sequence[WindowReport], policy: Policy) -> str:
    """Say what the watched cells are: those that matter little, those that page if they last, or both."""
    soon = any(signals.waiting(window) for window in windows)
    watched = [f for window in windows for f in window.features if f.alert is AlertLevel.WATCH]
    told = ["drifted, matters little"] if any(f.drifted and not f.important for f in watched) else []
    told += [f"drifted, matters, {signals.lasting(policy)}"] if soon else []
    told += ["not drifted, and odd in its rows or missing"] if any(not f.drifted for f in watched) else []
    return "; or ".join(told)


def heat_rows(windows: Sequence[WindowReport], schema: Schema) -> panels.Rows:
    """Give every cell as a table, newest window first."""
    return [
        {"Window": wording.span(window.start, window.end, schema), "Feature": drift.feature, **words.drift_row(drift)}
        for window in reversed(windows)
        for drift in sorted(window.features, key=lambda d: d.shap_rank)
    ]


def pick(clicked: Sequence[Any], names: Sequence[str], drawn: Sequence[WindowReport]) -> None:
    """Take a clicked cell of the heat map into the URL: its column and row in what is drawn."""
    if len(clicked) > 1 and clicked[0] is not None:
        session.ask(feature=names[int(clicked[1])], window=wording.window_key(drawn[int(clicked[0])].start))
