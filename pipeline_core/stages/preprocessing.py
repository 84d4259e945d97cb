"""What a model sees of a row: the part of the pipeline between typed columns and the estimator.

Everything that is learned here (medians, levels, scales) is learned by ``fit`` on the fit part only,
because it is the first step of the pipeline that is fitted, saved and served as one. Neighbours:
``training`` puts an estimator behind it, ``attribution`` sums its outputs back to their sources.
It refuses to look at protected, excluded, id, time and target columns.
"""

from __future__ import annotations

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import ColumnType, Schema

COLUMNS_STEP = "columns"
MISSING_LEVEL = "missing"
LEVELS_MAX = 25
SCALED_ESTIMATORS = frozenset({"logistic_regression"})

_NUMBERS, _CATEGORIES = "numbers", "categories"
_INDICATOR = "missingindicator_"


def build(schema: Schema, estimator: str) -> Pipeline:
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

    Returns
    -------
    Pipeline
        One step, over a ``DataFrame`` whose columns are named by ``column_id``.

    Raises
    ------
    InvalidDefinition
        The schema has no feature.
    """
    numbers = [c.column_id for c in schema.features if c.type is not ColumnType.CATEGORY]
    categories = [c.column_id for c in schema.features if c.type is ColumnType.CATEGORY]
    if not numbers and not categories:
        raise InvalidDefinition(
            f"Model {schema.model!r} has no feature: every column is the target, the time, the id, protected or"
            " excluded. Define it again with at least one column as a feature."
        )
    parts = []
    if numbers:
        parts.append((_NUMBERS, _number_steps(scaled=estimator in SCALED_ESTIMATORS), numbers))
    if categories:
        parts.append((_CATEGORIES, _category_steps(), categories))
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
    encode = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=LEVELS_MAX, sparse_output=False)
    return Pipeline([("impute", impute), ("encode", encode)])


def _source(name: str) -> str:
    # "numbers__missingindicator_c002", "categories__c004_any_level": a column_id holds no underscore
    return name.split("__", 1)[1].removeprefix(_INDICATOR).split("_", 1)[0]
