"""Preprocessing learns on the fit part, keeps nulls visible and knows where each column came from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import Role
from pipeline_core.stages import preprocessing, serving
from tests.core import modelling


def fitted(estimator: str = "hist_gradient_boosting", rows: pa.Table | None = None):
    schema = modelling.schema()
    table = modelling.rows() if rows is None else rows
    return preprocessing.build(schema, estimator).fit(serving.frame(table, schema)), schema


def test_every_output_column_knows_its_source() -> None:
    pipeline, schema = fitted()
    sources = preprocessing.source_features(pipeline)
    names = list(pipeline.get_feature_names_out())
    assert len(sources) == len(names) == pipeline.transform(serving.frame(modelling.rows(), schema)).shape[1]
    assert dict.fromkeys(sources) == dict.fromkeys(["c001", "c002", "c005", "c003", "c004"])
    assert sources[names.index("numbers__missingindicator_c002")] == "c002"
    assert sources[names.index("categories__c003_b_c")] == "c003"
    assert sources[names.index("categories__c003_missing")] == "c003"
    assert sources.count("c004") == preprocessing.LEVELS_MAX


def test_protected_id_time_and_target_columns_are_not_looked_at() -> None:
    pipeline, _ = fitted()
    assert not {"c006", "c007", "c008", "c009"} & set(preprocessing.source_features(pipeline))


def test_a_null_gets_the_median_of_the_fit_part_and_an_indicator() -> None:
    rows = modelling.rows()
    pipeline, schema = fitted()
    names = list(pipeline.get_feature_names_out())
    late = rows.set_column(rows.schema.get_field_index("c002"), "c002", pa.array([None, *[99.0] * 399], pa.float64()))
    out = pipeline.transform(serving.frame(late, schema))
    median = np.nanmedian(rows["c002"].to_numpy())
    assert out[0, names.index("numbers__c002")] == pytest.approx(median, abs=1e-12)
    assert out[:2, names.index("numbers__missingindicator_c002")].tolist() == [1.0, 0.0]


def test_a_level_never_seen_counts_as_rare_or_as_none() -> None:
    pipeline, schema = fitted()
    rows = modelling.rows(2)
    strange = rows.set_column(rows.schema.get_field_index("c003"), "c003", pa.array(["new", None], pa.string()))
    strange = strange.set_column(
        strange.schema.get_field_index("c004"), "c004", pa.array(["atlantis", None], pa.string())
    )
    out = pipeline.transform(serving.frame(strange, schema))
    names = list(pipeline.get_feature_names_out())
    plan = [i for i, n in enumerate(names) if n.startswith("categories__c003")]
    assert out[0, plan].sum() == 0
    assert out[1, names.index("categories__c003_missing")] == 1
    assert out[0, names.index("categories__c004_infrequent_sklearn")] == 1


def test_columns_that_are_all_null_in_the_fit_part_do_not_break_it() -> None:
    rows = modelling.rows()
    for name, kind in (("c001", pa.float64()), ("c003", pa.string()), ("c005", pa.timestamp("us"))):
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.nulls(len(rows), kind))
    for estimator in ("logistic_regression", "random_forest"):
        pipeline, schema = fitted(estimator, rows)
        out = pipeline.transform(serving.frame(modelling.rows(seed=2), schema))
        assert np.isfinite(out).all()
        assert set(preprocessing.source_features(pipeline)) == {"c001", "c002", "c003", "c004", "c005"}


def test_linear_models_see_standardised_numbers() -> None:
    pipeline, schema = fitted("logistic_regression")
    out = pipeline.transform(serving.frame(modelling.rows(), schema))
    assert out[:, 0].mean() == pytest.approx(0, abs=1e-12)
    assert out[:, 0].std() == pytest.approx(1, abs=1e-12)
    plain, _ = fitted()
    assert plain.transform(serving.frame(modelling.rows(), schema))[:, 0] == pytest.approx(
        modelling.rows()["c001"].to_numpy()
    )


def test_a_model_needs_a_feature() -> None:
    schema = modelling.schema()
    bare = replace(
        schema, columns=tuple(replace(c, role=Role.EXCLUDED) if c.role is Role.FEATURE else c for c in schema.columns)
    )
    with pytest.raises(InvalidDefinition, match="'loans' has no feature"):
        preprocessing.build(bare, "lightgbm")


@pytest.mark.parametrize("kept", ["c001", "c003"])
def test_one_feature_is_enough(kept: str) -> None:
    schema = modelling.schema()
    columns = tuple(
        replace(c, role=Role.EXCLUDED) if c.role is Role.FEATURE and c.column_id != kept else c for c in schema.columns
    )
    narrow = replace(schema, columns=columns)
    pipeline = preprocessing.build(narrow, "lightgbm").fit(serving.frame(modelling.rows(), narrow))
    assert set(preprocessing.source_features(pipeline)) == {kept}
