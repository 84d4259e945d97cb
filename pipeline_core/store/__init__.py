"""The only door to the DuckDB file and the folders beside it: ``Store`` and its rooms."""

from pipeline_core.store.home import Store

__all__ = ["Store"]
