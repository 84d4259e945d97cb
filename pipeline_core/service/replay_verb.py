"""The verb ``replay``: a history sent through the same code as if live, in a scratch home.

Neighbours: ``verbs`` puts it into the one table, ``flows.replay`` does it. It turns text into arguments, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline_core.flows import replay
from pipeline_core.service.asking import READING, Call, Option, Verb, reading_of
from pipeline_core.store.home import Store


def _replay(store: Store, call: Call) -> object:
    said = call.arguments
    return replay.replay(
        store,
        call.model,
        call.data,
        progress=call.progress,
        window=said.get("window"),
        label_delay=said.get("label-delay"),
        until=said.get("until"),
        source=said.get("source"),
        reading=reading_of(said),
    )


REPLAY: Mapping[str, Verb] = {
    "replay": Verb(
        summary="run a history through the same code as if live, and say window by window what would have been raised",
        run=_replay,
        long=True,
        whole=True,
        file="required",
        options={
            "window": Option(help="the window, like 7d, 30d or 1000rows; the shortest that fits, unless said"),
            "label-delay": Option(help="how long after its event the truth is known, like 30d, 12h or 500rows"),
            "until": Option(help="where the history ends: only rows before this event time"),
            "source": Option(help="where the file comes from, for the record"),
            **READING,
        },
    ),
}
