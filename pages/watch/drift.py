"""The drift page: which change matters, and what exactly changed."""

from __future__ import annotations

import streamlit as st

from pages.ui import charts, drift_charts, panels, session, wording
from pages.watch import evidence, reads, words

schema = session.model()
if schema is None:
    panels.empty(
        "Drift: which change matters?",
        "For every feature and every window, this page shows how far the data moved from what the model was trained on, sorted by "
        "how much the model leans on the feature. It needs a model with a champion, and later data.",
        page="define",
        action="Define a model",
    )
    st.stop()

champion = session.cached(reads.champion, schema.model)
if champion is None:
    panels.empty(
        "Drift is measured against a champion's training data; there is no champion yet.",
        "Train a version and let the gate promote it. Then every window of later data is compared with the rows it was fitted on.",
        page="training",
        action="Train the first version",
    )
    st.stop()

latest = session.cached(reads.report, schema.model, None)
size = evidence.size_choice(schema, latest)
report = session.cached(reads.report, schema.model, size)
windows = reads.inside(report.windows, session.period()) if report else ()
if not windows:
    evidence.nothing_checked(schema, size, report)
    st.stop()

feature, window = evidence.picked(windows)
found = next(drift for drift in window.features if drift.feature == feature)
policy = session.store().policy

text, state = words.drift(window, schema)
panels.sentence(text, state=state)
evidence.controls(schema, report, size=size)

shown, total = len(drift_charts.shown_features(windows)), len(window.features)
panels.chart(
    drift_charts.heat_map(
        windows, schema=schema, title=words.heat_title(windows), picked=(feature, wording.window_key(window.start))
    ),
    key="heat",
    alt=f"Effect of {shown} of {total} features, by SHAP share, in {len(windows)} windows; the top row is the weighted drift",
    table=evidence.heat_rows(windows, schema),
    on_point=evidence.pick,
)
st.markdown(evidence.legend(shown, total))

st.subheader("What exactly changed?", anchor=False)
evidence.selectors(windows, schema, feature=feature, window=window)
st.markdown(words.in_words(found, window, schema))
panels.facts(words.facts(found, policy), key="facts")

pair = None
with session.guard():
    pair = session.cached(reads.distribution, schema.model, feature, window.start, window.end)
if pair is not None:
    evidence.side_by_side(pair, found)

left, right = st.columns(2, gap="large")
with left:
    past = charts.lines(
        [evidence.history(windows, schema, feature)],
        title="Is it new?",
        y_title="Effect (dotted: floor)",
        schema=schema,
        limit=policy.drift_effect_min,
        markers=[charts.Marker(at=window.start, label="shown above", kind="incident")],
    )
    panels.chart(
        past.update_yaxes(rangemode="tozero"),
        key="history",
        alt=f"Effect of {feature} in every window, with the floor",
        table=evidence.history_rows(windows, schema, feature),
    )
with right:
    panels.chart(
        drift_charts.quadrant(
            window,
            title="Which of them matter in this window?",
            floor=policy.drift_effect_min,
            important=reads.important_share(window, top_share=policy.importance_top_share),
        ),
        key="quadrant",
        alt="Effect against SHAP share of every feature in the chosen window",
        table=evidence.feature_rows(window),
        on_point=evidence.pick_feature,
    )
