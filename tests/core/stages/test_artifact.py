"""A saved pipeline predicts as before; a file that is not ours is refused before anything of it runs."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from pipeline_core.errors import ArtifactRejected
from pipeline_core.records import Task
from pipeline_core.stages import artifact, preprocessing, serving, training
from tests.core import modelling


class Bomb:
    """What an attacker would put into a file: unpickling it writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


class Named(BaseEstimator):
    """An estimator that a policy might name."""

    def fit(self, features: list[list[float]], target: list[int]) -> Named:
        self.kept = len(target)
        return self


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fitted(task: Task, estimator: str) -> Pipeline:
    schema, rows = modelling.schema(task), modelling.rows(300, task)
    target = training.encode(rows["label"].to_pylist(), schema)
    steps = preprocessing.build(schema, estimator)
    return training.fit(steps, serving.frame(rows, schema), target, task=task, estimator=estimator, seed=7)


def treated() -> Pipeline:
    schema, rows = modelling.schema(), modelling.rows(300)
    steps = preprocessing.build(schema, "logistic_regression", asked={"amount": "log", "income": "category"})
    target = training.encode(rows["label"].to_pylist(), schema)
    frame = serving.frame(rows, schema)
    return training.fit(steps, frame, target, task=Task.BINARY, estimator="logistic_regression", seed=7)


def mapped(pipeline: Pipeline, method: str) -> Pipeline:
    schema, rows = modelling.schema(), modelling.rows(300)
    over = CalibratedClassifierCV(FrozenEstimator(pipeline[-1]), method=method)
    seen = pipeline[:-1].transform(serving.frame(rows, schema))
    return Pipeline([
        *pipeline.steps[:-1],
        ("model", over.fit(seen, training.encode(rows["label"].to_pylist(), schema))),
    ])


@pytest.mark.parametrize("task", modelling.TASKS)
@pytest.mark.parametrize("estimator", training.ESTIMATORS)
def test_a_reloaded_pipeline_predicts_the_same(estimator: str, task: Task, tmp_path: Path) -> None:
    pipeline, schema = fitted(task, estimator), modelling.schema(task)
    path = tmp_path / "model.skops"
    named = artifact.write(pipeline, path)
    assert named == sha256(path)
    with zipfile.ZipFile(path) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    again = artifact.read(path, named)
    late = modelling.rows(100, task, seed=5)
    before, after = serving.predict(pipeline, late, schema), serving.predict(again, late, schema)
    tolerance = 1e-12 if estimator == "random_forest" else 0
    assert after["score"].to_numpy() == pytest.approx(before["score"].to_numpy(), abs=tolerance, rel=0)
    if task is not Task.REGRESSION:
        assert after["prediction"].equals(before["prediction"])
    if task is Task.MULTICLASS:
        assert np.array(after["scores"].to_pylist()) == pytest.approx(np.array(before["scores"].to_pylist()), abs=1e-12)


def test_the_allow_list_holds_what_our_pipelines_need_and_nothing_else(tmp_path: Path) -> None:
    needed: set[str] = set()
    ours = [fitted(task, estimator) for task in modelling.TASKS for estimator in training.ESTIMATORS]
    plain = fitted(Task.BINARY, "logistic_regression")
    for pipeline in (*ours, mapped(plain, "isotonic"), mapped(plain, "sigmoid"), treated()):
        skops.io.dump(pipeline, tmp_path / "model.skops")
        needed |= set(skops.io.get_untrusted_types(file=tmp_path / "model.skops"))
    assert needed == set(artifact.TRUSTED_TYPES)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    named = artifact.write(fitted(Task.BINARY, "logistic_regression"), path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ArtifactRejected, match=f"the registry says {named[:12]}"):
        artifact.read(path, named)


def test_a_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    path, fired = tmp_path / "model.skops", tmp_path / "fired"
    path.write_bytes(pickle.dumps(Bomb(fired)))
    with pytest.raises(ArtifactRejected, match="is not a readable skops archive"):
        artifact.read(path, sha256(path))
    assert not fired.exists()
    pickle.loads(path.read_bytes())
    assert fired.exists(), "the bomb was live"


def test_a_foreign_type_in_an_archive_is_named_and_does_not_run(tmp_path: Path) -> None:
    path, fired = tmp_path / "model.skops", tmp_path / "fired"
    skops.io.dump(Pipeline([("columns", FunctionTransformer(print)), ("model", Bomb(fired))]), path)
    with pytest.raises(ArtifactRejected, match=r"test_artifact\.Bomb") as refused:
        artifact.read(path, sha256(path))
    assert "nothing of the file was run" in refused.value.message
    assert not fired.exists()


def test_a_pickle_inside_an_archive_is_refused(tmp_path: Path) -> None:
    path, fired = tmp_path / "model.skops", tmp_path / "fired"
    artifact.write(fitted(Task.BINARY, "logistic_regression"), path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, pickle.dumps(Bomb(fired)) if name.endswith(".npy") else content)
    with pytest.raises(ArtifactRejected, match="is not a readable skops archive"):
        artifact.read(path, sha256(path))
    assert not fired.exists()


def test_an_archive_of_something_else_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(LogisticRegression(), path)
    with pytest.raises(ArtifactRejected, match="holds a LogisticRegression; a whole scikit-learn Pipeline is allowed"):
        artifact.read(path, sha256(path))


def test_what_could_not_be_loaded_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    with pytest.raises(ArtifactRejected, match=r"holds 2 foreign types: pathlib\.PosixPath, .*Bomb; only the types"):
        artifact.write(Pipeline([("model", Bomb(tmp_path))]), path)
    assert not path.exists()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(ArtifactRejected, match="BadZipFile"):
        artifact.read(path, sha256(path))


@pytest.mark.parametrize("estimator", training.ESTIMATORS)
def test_the_same_pipeline_gives_the_same_bytes_again(estimator: str, tmp_path: Path) -> None:
    first = artifact.write(fitted(Task.BINARY, estimator), tmp_path / "first.skops")
    second = artifact.write(fitted(Task.BINARY, estimator), tmp_path / "second.skops")
    assert first == second
    with zipfile.ZipFile(tmp_path / "first.skops") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    again = artifact.write(artifact.read(tmp_path / "first.skops", first), tmp_path / "third.skops")
    assert artifact.read(tmp_path / "third.skops", again) is not None


def test_a_type_of_the_policy_is_read_where_it_is_named_and_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    pipeline = Pipeline([("columns", "passthrough"), ("model", Named().fit([[0.0], [1.0]], [0, 1]))])
    with pytest.raises(ArtifactRejected, match="only the types listed"):
        artifact.write(pipeline, path)
    name = f"{Named.__module__}.Named"
    sha = artifact.write(pipeline, path, also=(name,))
    assert artifact.read(path, sha, also=(name,))[-1].kept == 2
    for others in ((), (f"{Named.__module__}.Bomb",)):
        with pytest.raises(ArtifactRejected, match="Named"):
            artifact.read(path, sha, also=others)
