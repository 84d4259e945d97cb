"""Rules that no linter has: size, forbidden doors, hostile text."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted((ROOT / "pipeline_core").rglob("*.py"))
PAGES = sorted((ROOT / "pages").rglob("*.py"))
SHOWN = [*CORE, *PAGES, ROOT / "app.py"]
FRAME = (ROOT / "pages" / "ui" / "session.py").read_text(encoding="utf-8")
NOW = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns", "time.localtime"}
PICKLES = {"pickle", "cPickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SHOWN, ids=named)
def test_no_pickle_by_any_name(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not {name.split(".")[0] for name in names} & PICKLES


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_no_page_renders_raw_html(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "unsafe_allow_html" not in text
    assert "st.html(" not in text
    assert "components.v1" not in text


def test_the_time_comes_from_a_clock() -> None:
    """Law 5: only one place asks the machine what time it is; whatever keeps a moment asks the store."""
    asking = []
    for path in CORE:
        calls = [n.func for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
        names = [".".join(ast.unparse(call).split(".")[-2:]) for call in calls]
        asking += [(named(path), name) for name in names if name in NOW]
    # the second one is compared with the times of files, which are the machine's too
    assert asking == [("pipeline_core/clock.py", "datetime.now"), ("pipeline_core/store/home.py", "time.time")]


@pytest.mark.parametrize("path", CORE, ids=named)
def test_a_core_module_is_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", [p for p in PAGES if f"{p.parent.name}/{p.name}" in FRAME], ids=named)
def test_a_page_is_read_top_to_bottom(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("path", CORE, ids=named)
def test_every_core_module_has_a_twin_test_or_is_told_whole(path: Path) -> None:
    """A module without a test of its own name must say here which test tells its story."""
    told = {
        "pipeline_core/errors.py": "tests/core/test_policy.py",
        "pipeline_core/store/faults.py": "tests/story/test_crash.py",
        "pipeline_core/service/host.py": "tests/core/service",
        "pipeline_core/service/audit_lines.py": "tests/core/service/test_audit_verbs.py",
        "pipeline_core/service/terminal.py": "tests/core/service/test_lines.py",
        "pipeline_core/service/release_verbs.py": "tests/core/service/test_verbs.py",
        "pipeline_core/service/verdict_lines.py": "tests/core/service/test_lines.py",
        "pipeline_core/service/replay_verb.py": "tests/core/flows/test_replay.py",
        "pipeline_core/engines/counting.py": "tests/core/engines/test_duck.py",
        "pipeline_core/engines/rereading.py": "tests/core/engines/test_duck.py",
        "pipeline_core/flows/history.py": "tests/core/flows/test_replay.py",
        "pipeline_core/flows/replayed.py": "tests/core/flows/test_replay.py",
        "pipeline_core/flows/lineage.py": "tests/core/flows/test_card.py",
        "pipeline_core/flows/remeasuring.py": "tests/story/test_lineage.py",
        "pipeline_core/flows/tracing.py": "tests/story/test_lineage.py",
        "pipeline_core/service/lineage_lines.py": "tests/core/service/test_verbs.py",
        "pipeline_core/flows/evidence.py": "tests/core/flows/test_verdicts.py",
        "pipeline_core/flows/looking.py": "tests/core/flows/test_examining.py",
        "pipeline_core/stages/alerts/raising.py": "tests/core/stages/test_alerts.py",
        "pipeline_core/stages/alerts/telling.py": "tests/core/stages/test_alerts.py",
        "pipeline_core/stages/drift/comparing.py": "tests/core/stages/drift/test_judging.py",
        "pipeline_core/stages/drift/saying.py": "tests/core/stages/drift/test_judging.py",
        "pipeline_core/stages/drift/scores.py": "tests/core/stages/drift/test_judging.py",
        "pipeline_core/stages/drift/weighing.py": "tests/core/stages/drift/test_judging.py",
        "pipeline_core/stages/gate/classes.py": "tests/core/stages/gate/test_comparing.py",
        "pipeline_core/stages/gate/outcome.py": "tests/core/stages/gate/test_comparing.py",
        "pipeline_core/stages/gate/trivial.py": "tests/core/stages/gate/test_comparing.py",
        "pipeline_core/store/scratch.py": "tests/core/flows/test_replay.py",
    }
    parts = path.relative_to(ROOT / "pipeline_core")
    if path.name == "__init__.py" or parts.parts[0] == "records":
        return
    twin = ROOT / "tests" / "core" / parts.parent / f"test_{path.stem.strip('_')}.py"
    elsewhere = told.get(named(path))
    assert twin.exists() or (elsewhere is not None and (ROOT / elsewhere).exists()), f"no {named(twin)}"


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_a_block_of_a_page_is_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
