"""The HTTP routes: who may ask, what comes in, what goes out, and every error as a sentence."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

from pipeline_core.records import JobStatus
from pipeline_core.service import api, host
from pipeline_core.service.host import Host
from tests.core.service.conftest import Client, Files

# --- the door -----------------------------------------------------------------------------------


def test_health_answers(client: Client) -> None:
    told = client.get("/health").json()
    assert (told["status"], told["models"], told["active_jobs"]) == ("ok", 0, 0)


@pytest.mark.parametrize("name", ["localhost:8501", "127.0.0.1", "127.0.0.9:1", "[::1]:8501"])
def test_loopback_is_answered(client: Client, name: str) -> None:
    assert client.get("/health", headers={"Host": name}).status_code == 200


@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example", "10.0.0.1:8501", "", "[::1", "127.0.0.1@x"])
def test_another_host_name_is_refused(client: Client, name: str) -> None:
    reply = client.get("/health", headers={"Host": name})
    assert reply.status_code == 403
    assert "not answered" in reply.json()["message"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1.evil"])
def test_a_page_of_another_origin_is_refused(client: Client, origin: str) -> None:
    assert client.post("/models/m/labels", headers={"Origin": origin}).status_code == 403


def test_our_own_page_may_ask(client: Client) -> None:
    assert client.get("/health", headers={"Origin": "http://127.0.0.1:8501"}).status_code == 200


def test_a_configured_name_is_answered(held: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_HOSTS", "monitor.example, other.example")
    assert Client(api.build(), "http://monitor.example").get("/health").status_code == 200
    assert Client(api.build(), "http://third.example").get("/health").status_code == 403


def test_no_page_that_loads_scripts_from_elsewhere(client: Client) -> None:
    assert client.get("/docs").status_code == 404
    assert client.get("/redoc").status_code == 404
    assert "/verbs/{verb}" in client.get("/openapi.json").json()["paths"]


# --- intake -------------------------------------------------------------------------------------


def post(client: Client, path: str, file: Path, **more: Any) -> Response:
    with file.open("rb") as content:
        return client.post(path, files={"file": (file.name, content)}, **more)


def test_a_batch_by_form_and_bare(client: Client, champion: Host, files: Files) -> None:
    by_form = post(client, "/models/loans/batches", files.later)
    assert by_form.status_code == 200
    assert (by_form.json()["rows"], by_form.json()["source"]) == (300, "later.csv")
    bare = client.post("/models/loans/batches", content=files.later.read_bytes(), headers={"Content-Type": "text/csv"})
    assert (bare.status_code, bare.json()["duplicate"]) == (200, True)
    assert bare.json()["batch_id"] == by_form.json()["batch_id"]


def test_a_quarantined_batch_is_422_with_findings(client: Client, champion: Host, files: Files) -> None:
    reply = post(client, "/models/loans/batches", files.broken)
    assert reply.status_code == 422
    assert reply.json()["error"] == "The batch is quarantined"
    assert ("column_missing", "income") in {(f["code"], f["column"]) for f in reply.json()["findings"]}


def test_score_and_labels(client: Client, champion: Host, files: Files) -> None:
    scored = post(client, "/models/loans/score", files.later).json()
    assert len(scored["predictions"]) == scored["rows"] == 300
    assert set(scored["predictions"][0]) == {"row_id", "prediction", "score"}
    again = client.post("/models/loans/score", params={"batch": scored["batch_id"]}).json()
    assert again["predictions"] == scored["predictions"]
    labelled = post(client, "/models/loans/labels", files.truth).json()
    assert (labelled["new_rows"], labelled["unknown_rows"]) == (300, 0)


def test_nothing_of_an_upload_stays_in_the_scratch_folder(client: Client, champion: Host, files: Files) -> None:
    post(client, "/models/loans/batches", files.later)
    assert not [p for p in (champion.store.home / "work").rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    "name", ["../../up.csv", "..\\up.csv", "/etc/up.csv", "C:\\up.csv", "a\nb.csv", "x" * 300 + ".csv"]
)
def test_a_hostile_file_name_is_only_a_label(client: Client, champion: Host, files: Files, name: str) -> None:
    reply = client.post("/models/loans/batches", content=files.later.read_bytes(), params={"name": name})
    assert reply.status_code == 200
    source = reply.json()["source"]
    assert len(source) <= 128
    assert not set(source) & {"/", "\\", "\n"}


# --- errors -------------------------------------------------------------------------------------


def test_an_unknown_model_is_404(client: Client, files: Files) -> None:
    reply = post(client, "/models/nobody/batches", files.later)
    assert reply.status_code == 404
    assert reply.json()["error"] == "Not found"
    assert "nobody" in reply.json()["message"]


def test_no_file_and_no_table_are_422(client: Client, champion: Host, files: Files) -> None:
    assert client.post("/models/loans/batches").status_code == 422
    reply = client.post("/models/loans/batches", content=b"\x00\x01\x02", params={"name": "x.parquet"})
    assert (reply.status_code, reply.json()["error"]) == (422, "The file cannot be read")


def test_a_torn_form_is_422(client: Client) -> None:
    reply = client.post(
        "/models/m/batches", content=b"no form", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert (reply.status_code, reply.json()["error"]) == (422, "The file cannot be read")


@pytest.mark.parametrize("declared", [True, False])
def test_an_upload_above_the_limit_is_413(client: Client, held: Host, declared: bool) -> None:
    held.store.policy = replace(held.store.policy, upload_bytes_max=1000)
    body = b"x" * 2_000_000

    async def chunks() -> AsyncIterator[bytes]:  # ruff: ignore[unused-async] httpx wants an asynchronous body
        for _ in range(20):
            yield body[:100_000]

    reply = client.post("/models/m/batches", content=body if declared else chunks())
    assert reply.status_code == 413
    assert "1,000 bytes" in reply.json()["message"]


# --- verbs --------------------------------------------------------------------------------------


def ask(client: Client, verb: str, token: str, *, model: str | None = None, **arguments: Any) -> Response:
    call = json.dumps({"model": model, "arguments": arguments})
    return client.post(f"/verbs/{verb}", files={"call": (None, call)}, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("token", ["", "wrong", "ü"])
def test_verbs_want_the_token(client: Client, token: str) -> None:
    reply = client.post(
        "/verbs/status", files={"call": (None, "{}")}, headers={"Authorization": f"Bearer {token}".encode()}
    )
    assert reply.status_code == 401
    assert "owner.json" in reply.json()["message"]


def test_a_verb_answers_code_and_content(client: Client, champion: Host) -> None:
    told = ask(client, "lineage", champion.token, model="loans").json()
    assert (told["code"], told["content"]["version"]) == (0, 1)
    assert ask(client, "status", champion.token).json()["content"]["models"][0]["champion"] == 1


def test_a_long_verb_is_a_job_that_every_screen_sees(client: Client, champion: Host) -> None:
    told = ask(client, "check", champion.token, model="loans").json()
    job = champion.store.jobs.list()[0]
    assert (job.verb, job.status, told["code"]) == ("check", JobStatus.DONE, 0)


@pytest.mark.parametrize(
    ("verb", "model", "arguments", "status", "kind"),
    [
        ("stats", None, {}, 404, "NotFound"),
        ("lineage", "nobody", {}, 404, "NotFound"),
        ("promote", "loans", {"version": 1}, 422, "InvalidDefinition"),
        ("rollback", "loans", {"by": "Ada", "reason": "x"}, 409, "Refused"),
    ],
)
def test_errors_of_verbs_tell_their_class(
    client: Client, champion: Host, verb: str, model: str, arguments: Any, status: int, kind: str
) -> None:
    reply = ask(client, verb, champion.token, model=model, **arguments)
    assert (reply.status_code, reply.json()["kind"]) == (status, kind)


@pytest.mark.parametrize("call", ["no json", "[]", '{"model": 3}', '{"arguments": "x"}'])
def test_a_call_that_is_none_is_422(client: Client, held: Host, call: str) -> None:
    reply = client.post(
        "/verbs/status", files={"call": (None, call)}, headers={"Authorization": f"Bearer {held.token}"}
    )
    assert reply.status_code == 422


def test_a_store_that_somebody_else_holds_is_503(held: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host._PROCESS, "host", None)
    reply = Client(api.build(), "http://localhost").get("/health")
    monkeypatch.undo()
    assert (reply.status_code, reply.json()["error"]) == (503, "The store is in use")
