"""What is decided has its line, exactly once, whatever dies or is forged; what is wrong stays visible until it is signed for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline_core.errors import InvalidDefinition, NotFound, Refused, Stale, StoreBroken
from pipeline_core.records import Act, BaselineChoice, BaselineKind, BatchStatus, Deed, Dismissal
from pipeline_core.store import Store
from tests.core.store import made
from tests.core.store.test_admission import RULING, refuse


def dismissal(number: int, action: str = "reject", *, epoch: int = 0) -> Dismissal:
    return Dismissal(model="bank", version=number, action=action, by="Ada", reason="no", at=made.DAY, epoch=epoch)


def decide(store: Store) -> None:
    """Decide everything that there is to decide once, on a store with one defined model."""
    made.add_version(store)
    made.add_version(store)
    store.models.add_verdict(made.verdict(1, "w-1"))
    store.models.apply(made.promotion(1, epoch=1, previous=None))
    store.models.dismiss(dismissal(2, epoch=1))
    store.models.set_severity("bank", code="null_share", severity="warning", by="Grace", reason="known")
    choice = BaselineChoice(
        model="bank", number=0, kind=BaselineKind.PREVIOUS, decided_by="Grace", decided_at=made.DAY, reason="moves"
    )  # fmt: skip
    store.choices.add(choice)
    store.batches.rule("bank", refuse(store, b"x").batch_id, ruling=RULING, status=BatchStatus.DISCARDED)


def lines(store: Store) -> list[dict[str, object]]:
    return [json.loads(line) for line in store.audit.path.read_text().splitlines()]


def test_each_decision_has_one_line_with_who_why_ids_and_hashes(store: Store) -> None:
    decide(store)
    kept = lines(store)
    assert [line["act"] for line in kept] == [
        "define", "train", "train", "verdict", "promote", "reject", "severity", "baseline", "ruling",
    ]  # fmt: skip
    assert [line["sequence"] for line in kept] == list(range(1, 10))
    promoted = store.audit.entries()[4]
    assert (promoted.act, promoted.by, promoted.reason, promoted.at) == (Act.PROMOTE, "Ada", "better", made.DAY)
    assert promoted.about == {
        "version": 1, "previous": None, "epoch": 1, "verdict_id": None, "override_by": "", "override_reason": "",
        "artifact_sha256": hashlib.sha256(b"pipeline").hexdigest(),
    }  # fmt: skip
    assert kept[3]["about"]["verdict_id"] == "w-1"  # type: ignore[index]
    assert store.audit.verify().whole
    store.models.remove("bank", by="Ada", reason="sold")
    (gone,) = store.audit.entries(last=1)
    assert (gone.act, gone.model, gone.by, gone.about) == (Act.REMOVE, "bank", "Ada", {"versions": 2, "champion": 1})
    assert len(store.audit.entries("bank")) == 10  # the audit outlives its model
    assert store.audit.entries("other") == ()


def test_what_is_refused_or_undone_has_no_line(store: Store) -> None:
    made.add_version(store)
    before = store.audit.content()
    with pytest.raises(Stale):
        store.models.apply(made.promotion(1, epoch=7, previous=None))
    with pytest.raises(NotFound):
        store.models.add_verdict(made.verdict(1, "w", model="bamk"))
    with pytest.raises(RuntimeError), store.transaction():
        store.models.apply(made.promotion(1, epoch=1, previous=None))
        raise RuntimeError
    assert store.audit.content() == before
    assert store.audit.verify().whole
    assert len(store.audit.entries()) == 2


def test_lines_of_one_transaction_are_written_together(store: Store) -> None:
    made.add_version(store)
    with store.transaction():
        store.models.add_verdict(made.verdict(1, "w-1"))
        store.models.apply(made.promotion(1, epoch=1, previous=None))
        assert len(lines(store)) == 2
        assert store.audit.verify().whole is False  # two entries wait for the commit
    assert [line["act"] for line in lines(store)] == ["define", "train", "verdict", "promote"]
    assert store.audit.verify().whole


def test_a_file_that_cannot_be_written_lets_nobody_decide(store: Store) -> None:
    made.add_version(store)
    kept = store.audit.content()
    store.audit.path.unlink()
    store.audit.path.mkdir()
    with pytest.raises(StoreBroken, match=r"audit\.jsonl cannot be read or written: Is a directory\. Nothing was done"):
        store.models.apply(made.promotion(1, epoch=1, previous=None))
    assert store.models.epoch("bank") == 0
    store.audit.path.rmdir()
    store.audit.path.write_bytes(kept)
    store.models.apply(made.promotion(1, epoch=1, previous=None))
    assert store.audit.verify().whole


def test_a_line_that_could_not_be_written_waits_and_comes_next(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made.add_version(store)

    def full(*_given: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pipeline_core.store.audit.write_through", full)
        with pytest.raises(StoreBroken, match="its line waits there"):
            store.models.apply(made.promotion(1, epoch=1, previous=None))
        report = store.audit.verify()
        assert (report.whole, report.waiting, report.faults) == (False, 1, ())
    assert store.models.epoch("bank") == 1
    store.models.add_verdict(made.verdict(1, "w-1"))
    assert [line["act"] for line in lines(store)] == ["define", "train", "promote", "verdict"]
    assert store.audit.verify().whole


@pytest.mark.parametrize("half", [0, 10, -1, None])
def test_what_a_dead_process_left_out_is_written_at_the_next_open(tmp_path: Path, half: int | None) -> None:
    with Store.open(tmp_path) as store:
        store.models.define(made.schema())
        made.add_version(store)
        whole = store.audit.content()
        store._database.run("UPDATE meta SET number = 1 WHERE name = 'audit_written'")
    first, second = whole.splitlines(keepends=True)
    (tmp_path / "audit.jsonl").write_bytes(first + second[:half])
    with Store.open(tmp_path) as store:
        assert store.audit.content() == whole
        assert store.notices == ()
        assert store.audit.verify().whole


FORGED: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "truncated": lambda kept: kept[:-1],
    "changed": lambda kept: [*kept[:4], kept[4].replace(b"Ada", b"Eve"), *kept[5:]],
    "missing": lambda kept: [*kept[:4], *kept[5:]],
    "moved": lambda kept: [*kept[:4], kept[5], kept[4], *kept[6:]],
    "inserted": lambda kept: [*kept[:4], b'{"act":"promote"}\n', *kept[4:]],
}


@pytest.mark.parametrize("code", list(FORGED))
def test_what_was_forged_is_told_at_open_and_stays_until_somebody_signs(tmp_path: Path, code: str) -> None:
    with Store.open(tmp_path) as store:
        store.models.define(made.schema())
        decide(store)
        whole = store.audit.content()
    forged = b"".join(FORGED[code](whole.splitlines(keepends=True)))
    (tmp_path / "audit.jsonl").write_bytes(forged)
    with Store.open(tmp_path) as store:
        report = store.audit.verify()
        assert [fault.code for fault in report.faults] == [code]
        assert report.faults[0].line == (9 if code == "truncated" else 5)
        assert store.notices[0].startswith("The audit file is not what was recorded. ")
        assert report.faults[0].message in store.notices[0]
        store.models.add_verdict(made.verdict(1, "w-2"))  # work goes on, behind what was forged
        assert store.audit.content().startswith(forged)
        assert not store.audit.verify().whole
    with Store.open(tmp_path) as store:
        with pytest.raises(InvalidDefinition, match="mended by a person for a reason"):
            store.audit.mend(by="Ada", reason=" ")
        report = store.audit.mend(by="Ada", reason="the disk was restored by hand")
        assert (report.whole, report.entries) == (True, 11)
        assert store.notices == ()
        assert store.audit.content().startswith(whole)
        (mended,) = store.audit.entries(last=1)
        aside = store.home / str(mended.about["kept_as"])
        assert aside.read_bytes().startswith(forged)
        assert hashlib.sha256(aside.read_bytes()).hexdigest() == mended.about["sha256"]
        with pytest.raises(Refused, match="is whole, with 11 entries"):
            store.audit.mend(by="Ada", reason="again")


def test_a_file_that_is_gone_is_found(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.models.define(made.schema())
    (tmp_path / "audit.jsonl").unlink()
    with Store.open(tmp_path) as store:
        assert "The file is empty or gone: entry 1 is missing" in store.notices[0]
        assert store.audit.mend(by="Ada", reason="lost").whole


def test_lines_that_the_database_lost_are_told(store: Store) -> None:
    decide(store)
    with store.transaction():
        store._database.run("DELETE FROM audit WHERE sequence > 7")
        store._database.run("UPDATE meta SET number = 7 WHERE name = 'audit_written'")
    report = store.audit.verify()
    assert [(fault.line, fault.code) for fault in report.faults] == [(8, "ahead"), (9, "ahead")]
    assert "Line 8 (baseline of bank by Grace" in report.faults[0].message
    assert "the database lost it, so decide it again" in report.advice


def test_a_database_that_was_changed_is_told_and_mends_nothing(store: Store) -> None:
    decide(store)
    with store.transaction():
        store._database.run("UPDATE audit SET line = replace(line, 'Ada', 'Eve') WHERE sequence = 5")
    report = store.audit.verify()
    assert [fault.code for fault in report.faults] == ["database"]
    with pytest.raises(Refused, match="entry 5 does not agree"):
        store.audit.mend(by="Ada", reason="so that it fits")


def test_a_hash_noted_elsewhere_finds_a_history_that_was_rewritten_whole(store: Store) -> None:
    decide(store)
    head = store.audit.verify().head
    assert store.audit.verify(head=head).whole
    store.models.add_verdict(made.verdict(1, "w-2"))
    assert store.audit.verify(head=f" {head.upper()} ").whole  # it is in the chain still
    report = store.audit.verify(head="f" * 64)
    assert [fault.code for fault in report.faults] == ["head"]
    assert report.advice.startswith("Compare with the copy of the file")


def test_a_model_that_is_absorbed_brings_what_was_decided_about_it(tmp_path: Path) -> None:
    with Store.open(tmp_path / "there") as there:
        there.models.define(made.schema())
        there.models.define(made.schema("other"))
        made.add_version(there)
        there.models.apply(made.promotion(1, epoch=1, previous=None))
        originals, head = there.audit.entries("bank"), there.audit.verify().head
    with Store.open(tmp_path / "here") as here:
        here.absorb(tmp_path / "there", "bank")
        kept = here.audit.entries()[::-1]
        assert [entry.act for entry in kept] == [Act.DEFINE, Act.TRAIN, Act.PROMOTE, Act.ABSORB]
        assert [entry.about.get("first_kept_as") for entry in kept[:3]] == [e.hash for e in originals[::-1]]
        assert (kept[2].by, kept[2].at) == ("Ada", made.DAY)
        assert kept[3].about == {"entries_there": 4, "head_there": head}
        assert here.audit.verify().whole


def test_an_old_home_begins_its_chain_with_the_next_decision(store: Store) -> None:
    with store.transaction():  # as a home from before the audit file
        store._database.run("DELETE FROM audit")
        store._database.run("UPDATE meta SET number = 0 WHERE name = 'audit_written'")
    store.audit.path.unlink()
    assert store.audit.verify().whole
    made.add_version(store)
    assert [line["sequence"] for line in lines(store)] == [1]


def test_hostile_words_stay_words(store: Store) -> None:
    words = 'x"}\n{"act":"promote"\u2028\x00 ö \U0001f600'
    store.audit.add(Deed(act=Act.SEVERITY, model="bank", by=words, reason=words))
    assert store.audit.entries(last=1)[0].by == words
    assert len(store.audit.content().splitlines()) == 2
    assert store.audit.verify().whole
    assert replace(store.audit.entries(last=1)[0], by="") != store.audit.entries(last=1)[0]
