"""What a model sees of a row: the part of the pipeline between typed columns and the estimator.

What is done to each column follows from its type, and for a number from what a person asked: ``category`` takes its
values as levels, ``log`` stretches it by Yeo-Johnson, a logarithm's relative that takes zeros and negatives.
Everything that is learned here (medians, levels, scales) is learned by ``fit`` on the fit part only,
because it is the first step of the pipeline that is fitted, saved and served as one. Neighbours:
``training`` puts an estimator behind it, ``attribution`` sums its outputs back to their sources.
It refuses to look at protected, excluded, id, time and target columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, PowerTransformer, StandardScaler

from pipeline_core.errors import InvalidDefinition, NotFound, nearest
from pipeline_core.records import Column, ColumnType, Schema, Treatment

COLUMNS_STEP = "columns"
MISSING_LEVEL = "missing"
LEVELS_MAX = 25
UNSCALED_ESTIMATORS = frozenset({"hist_gradient_boosting", "random_forest", "lightgbm"})
"""Trees need no scale; whatever else may be named does no worse with one."""

AS_CATEGORY, AS_LOG = "category", "log"
TREATMENTS = (AS_CATEGORY, AS_LOG)
"""What a person may ask for a column of numbers."""

_NUMBERS, _CATEGORIES, _LEVELS, _LOGS = "numbers", "categories", "levels", "logs"
_INDICATOR = "missingindicator_"


def build(schema: Schema, estimator: str, *, asked: Mapping[str, str] | None = None) -> Pipeline:
    """Build the unfitted preprocessing of a model's features.

    Numbers (and timestamps, which arrive as days) get the median of the fit part and, where the fit
    part has nulls, an indicator column: a null is information, not only a hole. Categories get a level
    ``missing`` and one column a level; where there are more than 25, the rarest share the 25th, and a
    level never seen counts as one of them. Where there are not, it is none of the levels: all zeros. A
    column that is all null in the fit part is kept as a constant rather than breaking the fit.

    Parameters
    ----------
    schema : Schema
        Names the features and their types.
    estimator : str
        Linear models get standardised numbers; trees do not need them.
    asked : mapping, optional
        By name of a column of numbers, one of ``TREATMENTS``.

    Returns
    -------
    Pipeline
        One step, over a ``DataFrame`` whose columns are named by ``column_id``.

    Raises
    ------
    InvalidDefinition
        The schema has no feature, or a treatment is asked that a column cannot have.
    NotFound
        A treatment is asked for a column that is no feature.
    """
    special = _special(schema, asked or {})
    numbers = [c.column_id for c in schema.features if c.type is not ColumnType.CATEGORY and c.name not in special]
    categories = [c.column_id for c in schema.features if c.type is ColumnType.CATEGORY]
    if not schema.features:
        raise InvalidDefinition(
            f"Model {schema.model!r} has no feature: every column is the target, the time, the id, protected or"
            " excluded. Define it again with at least one column as a feature."
        )
    logs, levels = (
        [c.column_id for c in schema.features if special.get(c.name) == way] for way in (AS_LOG, AS_CATEGORY)
    )
    scaled = estimator not in UNSCALED_ESTIMATORS
    every = (
        (_NUMBERS, _number_steps(scaled=scaled), numbers),
        (_LOGS, _log_steps(scaled=scaled), logs),
        (_LEVELS, Pipeline([("encode", _encoder())]), levels),
        (_CATEGORIES, _category_steps(), categories),
    )
    parts = [part for part in every if part[2]]
    return Pipeline([(COLUMNS_STEP, ColumnTransformer(parts))])


def source_features(pipeline: Pipeline) -> list[str]:
    """Say which source column each transformed column comes from.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline whose step ``columns`` was made by ``build``.

    Returns
    -------
    list of str
        One ``column_id`` per transformed column, in the order in which the estimator sees them.
    """
    return [_source(name) for name in pipeline.named_steps[COLUMNS_STEP].get_feature_names_out()]


def _number_steps(*, scaled: bool) -> Pipeline:
    steps = [("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True))]
    if scaled:
        steps.append(("scale", StandardScaler()))
    return Pipeline(steps)


def _category_steps() -> Pipeline:
    impute = SimpleImputer(strategy="constant", fill_value=MISSING_LEVEL, keep_empty_features=True)
    return Pipeline([("impute", impute), ("encode", _encoder())])


def _encoder() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=LEVELS_MAX, sparse_output=False)


def _log_steps(*, scaled: bool) -> Pipeline:
    stretch = PowerTransformer(method="yeo-johnson", standardize=False)
    return Pipeline([("stretch", stretch), *_number_steps(scaled=scaled).steps])


def _special(schema: Schema, asked: Mapping[str, str]) -> dict[str, str]:
    features = {c.name: c for c in schema.features}
    for name, way in asked.items():
        if name not in features:
            raise NotFound(f"Model {schema.model!r} has no feature {name!r} to treat. {nearest(name, features)}")
        if way not in TREATMENTS or features[name].type is not ColumnType.NUMBER:
            raise InvalidDefinition(
                f"The treatment of column {name!r} ({features[name].type}) is {way!r}; for numbers"
                f" {' and '.join(TREATMENTS)} are allowed, other columns have the one of their type. Leave it out."
            )
    return dict(asked)


# --- what was done ------------------------------------------------------------------------------


def treatments(pipeline: Pipeline, schema: Schema, features: pd.DataFrame) -> tuple[Treatment, ...]:
    """Say what a fitted pipeline does to each column, with the figures that it learned.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted, made by ``build``.
    schema : Schema
        Names the columns.
    features : pd.DataFrame
        The fitted rows, for their share of nulls.

    Returns
    -------
    tuple of Treatment
        In the order of the schema's features.
    """
    outputs, nulls = Counter(source_features(pipeline)), features.isna().mean()
    found: dict[str, Treatment] = {}
    columns = {c.column_id: c for c in schema.features}
    for part, steps, ids in pipeline.named_steps[COLUMNS_STEP].transformers_:
        for place, column_id in enumerate(ids):
            said, levels = _told(part, steps, place, columns[column_id])
            found[column_id] = Treatment(
                column=columns[column_id].name,
                treated_as=_TREATED[part],
                null_share=float(nulls[column_id]),
                steps=said,
                levels=levels,
                outputs=outputs[column_id],
            )
    return tuple(found[c.column_id] for c in schema.features)


_TREATED = {_NUMBERS: "number", _LOGS: "number, log scale", _LEVELS: "category", _CATEGORIES: "category"}


def _told(part: str, steps: Pipeline, place: int, column: Column) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if part in {_LEVELS, _CATEGORIES}:
        return _told_of_levels(steps.named_steps["encode"], place, missing=part == _CATEGORIES)
    said = ["counted in days since 1970"] if column.type is ColumnType.TIMESTAMP else []
    if part == _LOGS:
        said.append(f"stretched by Yeo-Johnson with power {steps.named_steps['stretch'].lambdas_[place]:.3g}")
    impute = steps.named_steps["impute"]
    said.append(f"a null becomes {impute.statistics_[place]:.6g}, the median of the fitted rows")
    if impute.indicator_ is not None and place in set(impute.indicator_.features_):
        said.append("a column of its own says where a null was")
    if "scale" in steps.named_steps:
        scale = steps.named_steps["scale"]
        said.append(f"minus {scale.mean_[place]:.6g}, divided by {scale.scale_[place]:.6g}")
    return tuple(said), ()


def _told_of_levels(encode: OneHotEncoder, place: int, *, missing: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    rare = encode.infrequent_categories_[place]
    rare_names = set() if rare is None else {str(level) for level in rare}
    levels = tuple(str(level) for level in encode.categories_[place] if str(level) not in rare_names)
    said = [f"a null becomes the level {MISSING_LEVEL!r}" if missing else "a null is a level of its own"]
    said.append(f"one column for each of {len(levels):,} levels")
    if rare_names:
        said.append(f"the {len(rare_names):,} rarest share one, and a level never seen counts as one of them")
    else:
        said.append("a level never seen is none of them")
    return tuple(said), levels


def _source(name: str) -> str:
    # "numbers__missingindicator_c002", "categories__c004_any_level": a column_id holds no underscore
    return name.split("__", 1)[1].removeprefix(_INDICATOR).split("_", 1)[0]
