"""Numbers are given once, the same content keeps its number, and the newest check is the one that counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline_core.errors import NotFound
from pipeline_core.records import DatasetPart, DatasetVersion, LineageCheck, LinkCheck, LinkState
from pipeline_core.store import Store
from tests.core.store import made

PART = DatasetPart(batch_id="b-0001", sha256="1" * 64, rows=3, rows_sha256="2" * 64, labels_sha256="3" * 64)
DATASET = DatasetVersion(
    model="bank", dataset_id="", sha256="4" * 64, schema_version=1, schema_sha256="5" * 64, rows=3, parts=(PART,), also_read=("b-0002",),
    since=made.day(1), labels_at=made.day(9), made_at=made.day(9),
)  # fmt: skip


def test_datasets_are_numbered_by_content(store: Store) -> None:
    first = store.datasets.add(DATASET)
    assert first == replace(DATASET, dataset_id="d-1")
    assert store.datasets.add(replace(DATASET, since=None)) == first  # as it was first asked for
    second = store.datasets.add(replace(DATASET, sha256="6" * 64))
    assert second.dataset_id == "d-2"
    assert store.datasets.add(replace(DATASET, model="cards")).dataset_id == "d-1"
    assert store.datasets.list("bank") == (second, first)
    assert store.datasets.get("bank", "d-1") == first
    with pytest.raises(NotFound, match="Model 'bank' has no dataset 'd-3'"):
        store.datasets.get("bank", "d-3")


def test_a_check_takes_the_place_of_the_one_before(store: Store) -> None:
    assert store.datasets.check("bank", 1) is None
    link = LinkCheck(link="dataset", what="rows", state=LinkState.DIFFERS, kept="a", found="b", words="why")
    check = LineageCheck(model="bank", version=1, agrees=False, checked_at=made.day(0), links=(link,))
    store.datasets.put_check(check)
    store.datasets.put_check(replace(check, version=2))
    later = replace(check, agrees=True, checked_at=made.day(1), links=())
    store.datasets.put_check(later)
    assert store.datasets.check("bank", 1) == later
    assert store.datasets.check("bank", 2) == replace(check, version=2)


def test_both_go_with_their_model(store: Store) -> None:
    store.datasets.add(DATASET)
    store.datasets.put_check(LineageCheck(model="bank", version=1, agrees=True, checked_at=made.day(0), links=()))
    store.models.remove("bank")
    assert store.datasets.list("bank") == ()
    assert store.datasets.check("bank", 1) is None
