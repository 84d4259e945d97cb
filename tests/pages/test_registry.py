"""The page "Registry": empty, with a champion, and through the rollback."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.release import audit, descent, links, reads
from pages.ui.wording import State
from pipeline_core.flows import release
from pipeline_core.flows.lineage import lineage
from pipeline_core.store.home import Store
from tests.pages import loans
from tests.pages.conftest import fill

PAGE = "release/registry.py"
Visit = Callable[..., AppTest]


def test_without_a_model_it_leads_to_the_definition(home: Store, visit: Visit) -> None:
    at = visit(PAGE)
    assert not at.exception
    assert at.button(key="empty_go").label == "Define a model"


def test_without_a_champion_it_leads_to_training(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    at = visit(PAGE)
    assert at.title[0].value == "loans has no champion"
    assert at.button(key="empty_go").label == "Train a version"


def test_one_sentence_answers_what_data_and_what_metric(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = visit(PAGE)
    answer = at.title[0].value
    made = lineage(home, loans.MODEL)
    auc = made.metrics["auc"]
    assert "**v1** is champion of **loans**, made from 1 batch (800 rows, 6–17 Jan 2025): " in answer
    assert f"validation AUC {auc.value:.3f} (" in answer
    assert "Promoted by **Ada** on " in loans.said(at)
    assert "because: “the first one”." in loans.said(at)
    assert at.button(key="rollback").disabled


def test_the_graph_names_each_link_by_its_hash(home: Store, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    made = lineage(home, loans.MODEL)
    schema = home.models.schema(loans.MODEL)
    nodes = links.nodes(made, None, schema)
    assert [node.title for node in nodes] == [
        "Batch b-0001", "Dataset d-1", "Run", "Version v1", "Verdict", "Promotion",
    ]  # fmt: skip
    assert [node.after for node in nodes] == [(), ("b-0001",), ("dataset",), ("run",), ("version",), ("verdict",)]
    verdict = made.verdict
    assert verdict is not None
    hashes = [made.batches[0].sha256, made.dataset.sha256, "", made.artifact_sha256, verdict.sha256, ""]
    assert [node.sha256 for node in nodes] == hashes
    assert {node.state for node in nodes} == {State.UNKNOWN}
    assert [row["SHA-256"] for row in links.rows(nodes)] == [sha256 or "–" for sha256 in hashes]


def test_many_batches_are_drawn_as_first_rest_and_last(home: Store, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    made = lineage(home, loans.MODEL)
    many = tuple(replace(made.batches[0], batch_id=f"b-{n:04d}", rows=n) for n in range(1, 10))
    nodes = links.nodes(replace(made, batches=many), None, home.models.schema(loans.MODEL))
    first = [(node.title, node.figure, node.row) for node in nodes if node.column == 0]
    assert first == [
        ("Batch b-0001", "800 rows", 0), ("Batch b-0002", "2 rows", 1), ("6 more batches", "33 rows", 2), ("Batch b-0009", "9 rows", 3),
    ]  # fmt: skip
    assert next(node.row for node in nodes if node.name == "dataset") == pytest.approx(1.5)


def test_verify_says_what_agrees_and_what_no_longer_does(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = visit(PAGE)
    assert "It was not verified yet" in loans.said(at)
    at.button(key="lineage_verify").click().run()
    at = loans.finish_jobs(at)
    assert "statements asked again, all of them agree." in loans.said(at)
    version = home.models.version(loans.MODEL, 1)
    path = home.artifacts.path(version.artifact_sha256)
    path.write_bytes(path.read_bytes() + b"x")
    at.button(key="lineage_verify").click().run()
    at = loans.finish_jobs(at)
    assert "**These no longer agree:**" in loans.said(at)
    assert "Its lineage no longer agrees: 1 statement of " in at.title[0].value
    check = home.datasets.check(loans.MODEL, 1)
    assert check is not None
    assert [row["What"] for row in links.found(check)] == ["model file"]
    states = {
        node.title: node.state
        for node in links.nodes(lineage(home, loans.MODEL), check, home.models.schema(loans.MODEL))
    }
    assert states["Version v1"] is State.PAGE
    assert states["Dataset d-1"] is State.OK


def test_another_version_is_shown_by_its_link_with_its_card(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenger")
    at = visit(PAGE, version="2", card="open")
    assert not at.exception
    assert at.selectbox(key="lineage_version").value == 2
    assert "Model card of v2" in [fold.label for fold in at.expander]
    assert "It was never champion" in loans.said(at)
    at.selectbox(key="lineage_version").set_value(1).run()
    assert not at.exception
    assert at.query_params["version"] == "1"
    labels = [button.proto.label for button in at.get("download_button")]
    assert labels[:2] == ["Download as HTML", "Download as Markdown"]


def test_the_download_is_the_lineage_record(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = visit(PAGE)
    assert "Download the lineage" in [button.proto.label for button in at.get("download_button")]
    assert json.loads(reads.lineage_text(lineage(home, loans.MODEL)))["promoted_by"] == "Ada"


def test_rollback_brings_the_former_champion_back(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    release.promote(home, loans.MODEL, version=2, by="Grace", reason="newer")
    at = visit(PAGE)
    assert at.button(key="rollback").label == "Roll back to v1"
    at.session_state["person_name"] = "Ada"
    at.session_state["confirm_rollback_reason"] = "complaints"
    at.button(key="rollback").click().run()
    assert "v2 stops scoring at once and v1 takes its place" in loans.said(at)
    at.button(key="confirm_rollback_yes").click().run()
    assert not at.exception
    champion = home.models.champion(loans.MODEL)
    assert champion is not None
    assert champion.version == 1
    assert "**v1** is champion of **loans**" in at.title[0].value
    assert "Rolled back by **Ada** on " in loans.said(at)
    assert at.toast[0].value == "v1 is champion of loans again. The check is running; its result comes by itself."
    assert [job.verb for job in home.jobs.list()] == ["check"]
    assert [m.action for m in home.models.promotions(loans.MODEL)] == ["rollback", "promote", "promote"]


def test_two_who_confirm_the_same_rollback_go_back_once(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    loans.promote_again(home)
    release.challenge(home, loans.MODEL, version=3)
    release.promote(home, loans.MODEL, version=3, by="Grace", reason="newest")
    sessions = [visit(PAGE), visit(PAGE)]
    for at in sessions:
        assert at.button(key="rollback").label == "Roll back to v2"
        at.session_state["person_name"] = "Ada"
        at.session_state["confirm_rollback_reason"] = "complaints"
        at.button(key="rollback").click().run()
    for at in sessions:
        at.button(key="confirm_rollback_yes").click().run()
        assert not at.exception
    assert "has moved since you looked" in loans.said(sessions[1])
    champion = home.models.champion(loans.MODEL)
    assert champion is not None
    assert champion.version == 2


def test_a_model_goes_only_when_its_name_is_typed(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    fill(home, model="cards", champion=False)
    at = visit(PAGE, model="loans")
    at.button(key="remove").click().run()
    assert "**loans** goes, with 3 batches, 1,800 rows, 1 version and 1 alert, and all their files." in loans.said(at)
    at.text_input(key="confirm_remove_by").set_value("Ada")
    at.text_area(key="confirm_remove_reason").set_value("sold")
    at.text_input(key="confirm_remove_name").set_value("loan")
    at.button(key="confirm_remove_yes").click().run()
    assert home.models.names() == ("cards", "loans")
    at.button(key="remove").click().run()
    at.text_input(key="confirm_remove_by").set_value("Ada")
    at.text_area(key="confirm_remove_reason").set_value("sold")
    at.text_input(key="confirm_remove_name").set_value("loans")
    at.button(key="confirm_remove_yes").click().run()
    assert not at.exception
    assert home.models.names() == ("cards",)
    assert at.sidebar.selectbox(key="model").value == "cards"
    assert "loans is removed." in [toast.value for toast in at.toast]
    assert not at.warning


def test_the_last_model_can_be_removed_without_a_champion(home: Store, visit: Visit) -> None:
    fill(home, champion=False)
    at = visit(PAGE, model="loans")
    at.button(key="remove").click().run()
    at.text_input(key="confirm_remove_by").set_value("Ada")
    at.text_area(key="confirm_remove_reason").set_value("sold")
    at.text_input(key="confirm_remove_name").set_value("loans")
    at.button(key="confirm_remove_yes").click().run()
    assert not at.exception
    assert home.models.names() == ()
    assert at.button(key="empty_go").label == "Define a model"


@pytest.mark.parametrize("page", ["release/training.py", "release/challenge.py", PAGE, "intake/batches.py"])
def test_a_hostile_name_is_read_and_never_rendered(seeded: Store, visit: Visit, page: str) -> None:
    at = visit(page)
    assert not at.exception
    assert ":red[a]" not in loans.said(at).replace(":\u2060red", "")
    assert "<b>" not in loans.said(at)


def test_a_challenger_is_rejected_with_a_reason_that_stays(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenger")
    at = visit(PAGE)
    assert at.button(key="dismiss").label == "Reject v2 …"  # the newest version that may be taken out
    at.session_state["person_name"] = "Ada"
    at.session_state["confirm_dismissal_reason"] = "leaks the outcome"
    at.button(key="dismiss").click().run()
    assert "v2 can no longer be challenged or promoted. This cannot be undone" in loans.said(at)
    at.button(key="confirm_dismissal_yes").click().run()
    assert not at.exception
    assert home.models.dismissals(loans.MODEL)[2].reason == "leaks the outcome"
    assert "v2 is rejected." in [toast.value for toast in at.toast]
    stages = {v.version: v.stage.value for v in home.models.versions(loans.MODEL)}
    assert stages == {1: "champion", 2: "rejected"}
    rows = descent.promotion_rows(reads.shelf(home, loans.MODEL))
    assert [(row["Move"], row["By"], row["Reason"]) for row in rows] == [
        ("reject v2", "Ada", "leaks the outcome"), ("promote v1", "Ada", "the first one"),
    ]  # fmt: skip
    assert at.button(key="dismiss").label == "Retire v1 …"
    challenge = visit("release/challenge.py")
    assert "No challenger waits." in challenge.title[0].value


def test_a_retired_champion_leaves_a_page_that_says_so_and_leads_back(
    home: Store, visit: Visit, tmp_path: Path
) -> None:
    loans.take(home, tmp_path, "challenged")
    release.promote(home, loans.MODEL, version=2, by="Grace", reason="newer")
    at = visit(PAGE)
    assert at.button(key="dismiss").label == "Retire v2 …"
    at.session_state["person_name"] = "Ada"
    at.session_state["confirm_dismissal_reason"] = "unlawful"
    at.button(key="dismiss").click().run()
    assert "**v2 is the champion: without it nothing is scored and nothing is watched**" in loans.said(at)
    assert "Rolling back would bring v1 in its place." in loans.said(at)
    at.button(key="confirm_dismissal_yes").click().run()
    assert not at.exception
    assert home.models.champion(loans.MODEL) is None
    assert "**loans** has no champion since " in at.title[0].value
    assert "Ada retired v2, because: “unlawful”. Nothing is scored" in at.title[0].value
    for page in ("watch/overview.py", "watch/drift.py", "release/challenge.py", "release/training.py", "act/alerts.py", "watch/replay.py"):  # fmt: skip
        assert not visit(page).exception
    overview = visit("watch/overview.py")
    assert "Ada retired v2, so nothing is scored" in loans.said(overview)
    assert "Decide in the registry" in [button.label for button in overview.button]
    assert at.button(key="rollback").label == "Roll back to v1"
    at.session_state["confirm_rollback_reason"] = "at least this one"
    at.button(key="rollback").click().run()
    assert "v1 scores from now on, without a new challenge" in loans.said(at)
    at.button(key="confirm_rollback_yes").click().run()
    assert not at.exception
    assert "**v1** is champion of **loans**" in at.title[0].value
    moves = [row["Move"] for row in descent.promotion_rows(reads.shelf(home, loans.MODEL))]
    assert moves == ["rollback v1", "retire v2", "promote v2", "promote v1"]


def test_the_audit_file_stands_in_one_line(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    entries = len(home.audit.entries())
    at = visit(PAGE)
    assert f"**Audit chain whole**: {entries} entries." in loans.said(at)
    rows = [audit.row(entry) for entry in audit.of_model(home, loans.MODEL)]
    assert [row["What"] for row in rows[:3]] == ["brought from another home", "promoted", "verdict of the gate"]
    assert (rows[1]["By"], rows[1]["Why"]) == ("Ada", "the first one")


def test_a_forged_audit_file_is_told_and_mended_by_a_person(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    path = home.audit.path
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"the first one", b"the worst one"))
    at = visit(PAGE)
    assert "**Audit chain broken**" in loans.said(at)
    assert " was changed" in loans.said(at)
    at.session_state["person_name"] = "Ada"
    at.session_state["confirm_mend_reason"] = "seen and understood"
    at.button(key="audit_mend").click().run()
    at.button(key="confirm_mend_yes").click().run()
    assert not at.exception
    assert "**Audit chain whole**" in loans.said(at)
    assert path.read_bytes().startswith(whole)
    assert home.audit.entries(last=1)[0].reason == "seen and understood"
