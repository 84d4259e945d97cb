from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from pipeline_core.records import Column, ColumnType, Role, Schema, Task, TimeUnit
from pipeline_core.stats.truth import judged, negative, scored


def schema_of(task: Task, classes: tuple[str, ...] = (), positive: str | None = None) -> Schema:
    kind = ColumnType.NUMBER if task is Task.REGRESSION else ColumnType.CATEGORY
    return Schema(
        model="m",
        schema_version=1,
        task=task,
        columns=(Column(column_id="c001", name="y", type=kind, role=Role.TARGET),),
        baselines=(),
        grids=(),
        time_unit=TimeUnit.NONE,
        positive=positive,
        classes=classes,
        defined_at=datetime(2025, 1, 1, tzinfo=UTC),
    )


def test_the_other_class_has_a_name_even_where_it_was_never_seen() -> None:
    assert negative(schema_of(Task.BINARY, ("no", "yes"), "no")) == "yes"
    assert negative(schema_of(Task.BINARY, ("yes",), "yes")) == "not yes"


def test_a_table_of_predictions_is_put_beside_the_truth() -> None:
    schema = schema_of(Task.MULTICLASS, ("a", "b", "c"))
    scores = [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]
    said = pa.table({"prediction": ["a", "c"], "score": [0.7, 0.6], "scores": scores})
    rows = judged(schema, ["b", "c"], said)
    assert (rows.y.tolist(), rows.prediction.tolist(), rows.score.tolist()) == ([1, 2], [0, 2], [0.7, 0.6])
    assert rows.scores is not None
    assert rows.scores.tolist() == scores
    two = judged(schema_of(Task.BINARY, ("no", "yes"), "yes"), ["yes", None], said.select(["prediction", "score"]))
    assert (two.y.tolist(), two.score.tolist(), two.scores) == ([1], [0.7], None)


def test_binary_rows_without_truth_are_left_out() -> None:
    rows = scored(
        schema_of(Task.BINARY, ("no", "yes"), "no"),  # the positive class need not sort last
        pa.chunked_array([["no", "yes", None, "maybe", "no"]]),
        prediction=["no", "no", "no", "no", "yes"],
        score=[0.9, 0.6, 0.5, 0.5, np.nan],
    )
    assert rows.y.tolist() == [1, 0]
    assert rows.prediction.tolist() == [1, 1]
    assert rows.score.tolist() == [0.9, 0.6]
    assert rows.rows == 2


def test_multiclass_takes_a_list_of_lists() -> None:
    schema = schema_of(Task.MULTICLASS, ("a", "b", "c"))
    probabilities = [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]]
    column = pa.array(probabilities)
    rows = scored(
        schema, ["a", None, "c"], prediction=["a", "c", "b"], score=[0.7, 0.8, 0.4], scores=column.to_numpy(False)
    )
    assert rows.scores is not None
    assert rows.scores.tolist() == [[0.7, 0.2, 0.1], [0.3, 0.4, 0.3]]
    assert (rows.y.tolist(), rows.prediction.tolist(), rows.class_count) == ([0, 2], [0, 1], 3)
    same = scored(
        schema, ["a", None, "c"], prediction=["a", "c", "b"], score=[0.7, 0.8, 0.4], scores=np.array(probabilities)
    )
    assert same.scores is not None
    assert np.array_equal(rows.scores, same.scores)


def test_no_rows_of_scores_is_an_empty_table() -> None:
    rows = scored(schema_of(Task.MULTICLASS, ("a", "b")), [], prediction=[], score=[], scores=[])
    assert rows.scores is not None
    assert rows.scores.shape == (0, 2)


def test_regression_reads_numbers_from_text() -> None:
    rows = scored(
        schema_of(Task.REGRESSION),
        ["1.5", 2, "n/a", None, "inf"],
        prediction=["", "", "", "", ""],
        score=[1, 2, 3, 4, 5],
    )
    assert rows.y.tolist() == [1.5, 2.0]
    assert rows.prediction.tolist() == [1.0, 2.0]
