"""The challenge: whether a challenger may replace the champion."""

import streamlit as st

from pages.release import beside, blocks, evidence, fairness, moves, parts, reads, rulings, shadow, standing, words
from pages.ui import panels, session, verdicts
from pages.ui.wording import State

schema = session.model()
if schema is None:
    panels.empty(
        "May it replace the champion?",
        "This page compares a challenger with the champion on rows that neither was fitted on. It needs a model first.",
        page="define",
        action="Define a model",
    )
    st.stop()

shelf = session.cached(reads.shelf, schema.model)
if not shelf.challengers:
    panels.sentence(standing.no_challenger(shelf, schema), state=words.training_state(shelf))
    panels.job_progress(schema.model, key="challenge_jobs")
    st.query_params.pop("challenger", None)  # it may be champion by now
    panels.next_step("Train a challenger", "training", key="challenge_train")
    if shelf.champion:
        panels.link("See the champion in the registry", "registry", icon=":material/inventory_2:")
    st.stop()

answer = st.container()
version = moves.pick_challenger(shelf)
verdict = shelf.verdict(version.version)
with answer:
    if verdict is None:
        panels.sentence(standing.unchallenged(version, shelf), state=State.UNKNOWN)
    else:
        panels.sentence(rulings.verdict_sentence(verdict, schema), state=verdicts.state(verdict))
panels.job_progress(schema.model, key="challenge_jobs")

left, right = st.columns([5, 3])
with right:
    moves.decision(version, shelf, schema)
with left:
    if verdict is None:
        st.markdown("**What the challenge does**")
        st.markdown(standing.challenge_does(shelf))
        st.markdown(f"**v{version.version} on its own hold-out**")
        panels.facts(blocks.metric_facts(version), key="challenger_metrics", columns=2)
    else:
        evidence.differences(verdict)
        if verdict.champion is None:
            panels.facts(blocks.metric_facts(version), key="challenger_metrics")
if verdict is not None:
    parts.slices(verdict, schema)
    parts.classes(verdict)
    fairness.audit(verdict)
    evidence.curves(verdict)
    beside.facts(verdict)
    evidence.figures(verdict)
shadow.block(version, shelf, schema)
