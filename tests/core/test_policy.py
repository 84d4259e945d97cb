"""The limits a team sets: defaults, overrides, and sentences for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_core.errors import InvalidDefinition, nearest
from pipeline_core.policy import Policy, load_policy
from pipeline_core.records import dump, load


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load_policy(tmp_path) == Policy()


def test_a_file_overrides_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("alpha = 0.01\nwindow_rows_min = 500\n", encoding="utf-8")
    policy = load_policy(tmp_path)
    assert (policy.alpha, policy.window_rows_min, policy.seed) == (0.01, 500, 7)


def test_a_table_says_how_bad_a_finding_is(tmp_path: Path) -> None:
    text = 'seed = 3\n[severity]\nimputed = "error"\ncolumn_extra = "off"\nno_rows = "error"\n'
    (tmp_path / "policy.toml").write_text(text, encoding="utf-8")
    policy = load_policy(tmp_path)
    assert (policy.seed, policy.severities) == (3, {"imputed": "error", "column_extra": "off", "no_rows": "error"})
    assert load(Policy, dump(policy)) == policy


def test_a_table_names_estimators_with_their_parameters(tmp_path: Path) -> None:
    text = '[estimators]\none = "a.b.C"\n[estimators.two]\nclass = "d.E"\nn = 3\n'
    (tmp_path / "policy.toml").write_text(text, encoding="utf-8")
    policy = load_policy(tmp_path)
    assert policy.estimators == {"one": {"class": "a.b.C"}, "two": {"class": "d.E", "n": 3}}
    assert load(Policy, dump(policy)) == policy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alfa = 0.1", "Did you mean 'alpha'?"),
        ("alpha = 'much'", "alpha is 'much'; a number of at least 0 is allowed"),
        ("alpha = 2", "alpha is 2; a share from 0 to 1 is allowed"),
        ("seed = -1", "seed is -1"),
        ("holdout_share = true", "holdout_share is True"),
        ("alpha = ", "is not valid TOML"),
        ("alpha = nan", "alpha is nan; a number of at least 0 is allowed"),
        ("drift_effect_min = inf", "drift_effect_min is inf"),
        ("shap_rows = 1e3", "shap_rows is 1000.0; a whole number of at least 1 is allowed"),
        ("gate_rows_max = 0", "gate_rows_max is 0; a whole number"),
        ("severities = 1", "sets 'severities', which is no knob"),
        ("severity = 'error'", "a table [severity] of lines"),
        ("[severity]\nimputd = 'error'", "[severity] names 'imputd', which is no finding. Did you mean 'imputed'?"),
        ("[severity]\nimputed = 'fatal'", "imputed is 'fatal'; error, warning, info, off are allowed"),
        ("[severity]\nimputed = true", "imputed is True; error, warning, info, off are allowed"),
        ("estimators = 1", "a table [estimators] of lines"),
        ("[estimators]\nmine = 3", "[estimators] mine is 3; the path of a class"),
        ("[estimators]\n'my own' = 'a.B'", "under a name of letters, digits and underscores"),
        ("[estimators]\nmine = 'a b.C'", "the path of a class"),
        ("[estimators.mine]\nn = 3", "or a table with class and parameters"),
        ("[estimators.mine]\nclass = 'a.B'\nn = [1]", "[estimators.mine] n is [1]; text, a number"),
        ("[severity]\nno_rows = 'off'", "a batch without rows is an error always"),
    ],
)
def test_what_is_wrong_is_said_with_its_value(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "policy.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidDefinition) as caught:
        load_policy(tmp_path)
    assert said in caught.value.message


def test_the_nearest_name_is_offered() -> None:
    assert nearest("incom", ["income", "age"]) == "Did you mean 'income'?"
    assert nearest("zzz", []) == "There are none yet."
    assert nearest("zzz", ["a", "b"]) == "There are: 'a', 'b'."
