"""The same drift report by other tools, each in an environment of its own because their pins exclude ours and each other.

``BENCH_PEERS=FOLDER make bench`` looks for ``FOLDER/evidently/bin/python``, ``FOLDER/nannyml/bin/python`` and so on; what is
not there is skipped and said. Nothing of the product is imported here, so that any of them can run this file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Work = Callable[[], float]


def interpreter(module: str) -> str | None:
    """Give the Python that has a peer's module: this one, or the one of its own environment; None where there is none."""
    if find_spec(module) is not None:
        return sys.executable
    own = Path(os.environ.get("BENCH_PEERS", "")) / module / "bin" / "python"
    return str(own) if "BENCH_PEERS" in os.environ and own.exists() else None


def _frames(where: Path) -> list[Any]:
    import pandas as pd

    return [pd.read_parquet(where / f"{name}.parquet") for name in ("reference", "current")]


def _kinds(frame: Any) -> tuple[list[str], list[str]]:
    numbers = [name for name in frame.columns if frame[name].dtype.kind == "f"]
    return numbers, [name for name in frame.columns if name not in numbers]


def with_evidently(where: Path) -> Work:
    from evidently import Report
    from evidently.presets import DataDriftPreset

    def work() -> float:
        reference, current = _frames(where)
        Report([DataDriftPreset(num_method="ks", cat_method="chisquare")]).run(current, reference)
        return 0.0

    return work


def with_nannyml(where: Path) -> Work:
    import nannyml

    def work() -> float:
        reference, current = _frames(where)
        numbers, levels = _kinds(reference)
        calculator = nannyml.UnivariateDriftCalculator(
            column_names=numbers + levels,
            treat_as_categorical=levels,
            continuous_methods=["kolmogorov_smirnov"],
            categorical_methods=["chi2"],
            chunk_number=1,
        )
        found = calculator.fit(reference).calculate(current).to_df()
        return float(max(found[name, "kolmogorov_smirnov", "value"].iloc[-1] for name in numbers))

    return work


def with_whylogs(where: Path) -> Work:
    import whylogs

    def work() -> float:
        for frame in _frames(where):
            whylogs.log(pandas=frame).view()
        return 0.0

    return work


def with_alibi(where: Path) -> Work:
    from alibi_detect.cd import TabularDrift

    def work() -> float:
        import numpy as np
        import pandas as pd

        reference, current = _frames(where)
        numbers, levels = _kinds(reference)
        both = pd.concat([reference, current], ignore_index=True)
        # it takes one array of numbers without gaps: categories as codes, nulls as a code or the middle
        coded = [both[name].fillna(both[name].median()).to_numpy() for name in numbers]
        coded += [pd.factorize(both[name], use_na_sentinel=False)[0].astype(float) for name in levels]
        rows = np.column_stack(coded)
        places = {len(numbers) + place: None for place in range(len(levels))}
        detector = TabularDrift(rows[: len(reference)], p_val=0.05, categories_per_feature=places)
        found = detector.predict(rows[len(reference) :], drift_type="feature", return_distance=True)
        return float(np.max(found["data"]["distance"][: len(numbers)]))

    return work


PEERS: dict[str, tuple[str, Callable[[Path], Work]]] = {
    "Evidently (ks, chisquare)": ("evidently", with_evidently),
    "NannyML (KS, chi2)": ("nannyml", with_nannyml),
    "whylogs (two profiles)": ("whylogs", with_whylogs),
    "Alibi Detect (TabularDrift)": ("alibi_detect", with_alibi),
}
