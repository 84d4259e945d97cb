"""The composition root: screens, HTTP API and worker become one process that owns the store.

``streamlit run app.py`` starts it. ``PIPELINE_HOME`` names the folder (``data``); ``DEMO=0`` leaves an empty store empty.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Mount

from pipeline_core.errors import PipelineError
from pipeline_core.service import api, host
from pipeline_core.service.door import Door, allowed_hosts

LOG = logging.getLogger("pipeline_monitor")


def _load_heavy_libraries() -> None:
    """Import what pages and verbs will need, then take it out of the garbage collector's way.

    With these libraries on the heap every whole collection takes 108 ms; frozen they are not looked at.
    """
    import pandas as pd
    import plotly.graph_objects as go
    import sklearn.ensemble as ensembles

    LOG.debug("Loaded %s", [module.__name__ for module in (pd, go, ensembles)])
    gc.collect()
    gc.freeze()


def _open() -> None:
    """Take the store; where that fails the screens say why, and try again at each visit."""
    address = st.get_option("server.address")
    name = "127.0.0.1" if address in {None, "", "0.0.0.0", "::"} else address
    host.answer_at(f"http://{name}:{st.get_option('server.port')}")
    try:
        held = host.host()
    except PipelineError as error:
        LOG.warning("%s. %s", error.headline, error.message)
        return
    if os.environ.get("DEMO") != "0" and not held.store.models.names() and not held.store.jobs.list(active=True):
        held.worker.submit("demo", None)


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncGenerator[dict[str, Any]]:
    """Open the store before the first request and give it back after the last one."""
    await asyncio.to_thread(_load_heavy_libraries)
    await asyncio.to_thread(_open)
    try:
        yield {}
    finally:
        await asyncio.to_thread(host.stop)
        gc.unfreeze()  # what stays frozen would be reported as leaked when the interpreter ends


app = st.App(
    "pages/frame.py",
    routes=[Mount("/api", app=api.build())],
    middleware=[Middleware(Door, hosts=allowed_hosts())],
    lifespan=lifespan,
)
