"""The HTTP routes: who may ask, what comes in, what goes out, and every error as a sentence."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

from pipeline_core.records import JobStatus
from pipeline_core.service import api, host
from pipeline_core.service.host import Host
from pipeline_core.service.verbs import VERBS
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


def test_every_route_is_known_here_and_only_verbs_want_the_token(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    open_to_all = {"/health", "/models/{model}/batches", "/models/{model}/labels", "/models/{model}/score"}
    assert set(paths) == {*open_to_all, "/verbs/{verb}"}
    for verb in VERBS:
        assert client.post(f"/verbs/{verb}").status_code == 401


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


def test_a_form_above_the_limit_is_413(client: Client, held: Host) -> None:
    held.store.policy = replace(held.store.policy, upload_bytes_max=1000)
    reply = client.post("/models/m/batches", files={"file": ("x.csv", b"x" * 2_000_000)})
    assert (reply.status_code, reply.json()["error"]) == (413, "Request Entity Too Large")
    assert not [p for p in (held.store.home / "work").rglob("*") if p.is_file()]


@pytest.mark.parametrize("length", ["-5", "abc", "9" * 400, "²"])
def test_a_declared_length_that_is_none_is_not_believed(client: Client, champion: Host, length: str) -> None:
    reply = client.post(
        "/models/loans/batches", content=b"a\n1\n", headers={"Content-Length": length.encode("latin-1")}
    )
    assert reply.status_code == (413 if length.startswith("9") else 422)


def zipped() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", b"0" * 30_000_000)
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"PAR1" + b"\0" * 60 + b"PAR1", "cannot be read"),
        (b"a\0b\n1,2\n", "zero bytes"),
        (b"\xff\xfea\x00,\x00b\x00", "no rows"),
        (b"a,b\n1,\xe9\n", "--encoding"),
        (b"a,b\n1\n", "fields"),
        (b"a,a\n1,2\n", "differ in nothing but case"),
        (b"[" * 50_000, "name of 50,000 characters"),
        (b'{"a":' * 20_000, "not JSON"),
        (b'[{"a": 1}, 2]', "not an object"),
        (zipped(), "zip archive"),
        (gzip.compress(b"0" * 30_000_000), "longer than"),
        (b"\x80\x04\x95cos\nsystem\n", "pickle"),
    ],
    ids=[
        "empty",
        "blank",
        "torn",
        "nul",
        "utf16",
        "latin1",
        "ragged",
        "twins",
        "deep",
        "deeper",
        "list",
        "zip",
        "gz",
        "pickle",
    ],
)
def test_what_is_no_table_is_422_with_a_sentence_whatever_it_is_called(
    client: Client, champion: Host, content: bytes, word: str
) -> None:
    for ending in (".csv", ".parquet", ".jsonl", ".csv.gz", ".exe", ""):
        reply = client.post("/models/loans/batches", files={"file": (f"x{ending}", content)})
        assert reply.status_code == 422
        assert reply.json()["error"] in {"The file cannot be read", "How should the file be read?"}
        assert word in reply.json()["message"]
        assert str(champion.store.home) not in reply.text
    assert len(champion.store.batches.list("loans")) == 1


def test_a_lying_extension_is_read_by_content(client: Client, champion: Host, files: Files) -> None:
    reply = client.post("/models/loans/batches", files={"file": ("x.parquet", files.later.read_bytes())})
    assert (reply.status_code, reply.json()["rows"]) == (200, 300)
    assert {p.suffix for p in (champion.store.home / "raw").iterdir()} <= {".csv", ".parquet"}


def test_half_a_character_is_text_and_no_bug(client: Client, champion: Host) -> None:
    body = b'{"loan": "L\\ud800", "day": 2000, "income": 3, "town": "A", "x\\udfff": 1}\n'
    reply = client.post("/models/loans/batches", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert (reply.status_code, reply.json()["rows"]) == (200, 1)
    assert [c["column"] for c in reply.json()["columns"]][-1] == "x\\udfff"
    assert champion.store.batches.read_rows("loans", reply.json()["batch_id"])["row_id"].to_pylist() == ["L\\ud800"]


@pytest.mark.parametrize(
    "model",
    [
        "..",
        "%2e%2e",
        "..%2f..%2fetc",
        "..%5C..%5Cx",
        "a%00b",
        "loans%0a",
        "%ff",
        "C:x",
        "'; drop table jobs",
        "a" * 5000,
    ],
)
def test_a_model_that_looks_like_a_path_is_no_model(client: Client, champion: Host, files: Files, model: str) -> None:
    reply = post(client, f"/models/{model}/batches", files.later)
    assert reply.status_code == 404
    assert len(reply.json()["message"]) <= api.MESSAGE_CHARACTERS_MAX
    assert champion.store.models.names() == ("loans",)


@pytest.mark.parametrize("batch", ["b-0001\n", "b-0001\r\nX: y", "../b-0001", "b-0001\0", "%62-0001", "x" * 3000])
def test_an_id_that_is_none_is_404(client: Client, champion: Host, batch: str) -> None:
    reply = client.post("/models/loans/score", params={"batch": batch})
    assert (reply.status_code, reply.json()["error"]) == (404, "Not found")


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"path": "/etc/passwd"}},
        {"files": {"file": (None, "/etc/passwd")}},
        {"files": {"data": (None, "/etc/passwd")}},
        {"content": b"/etc/passwd"},
        {"params": {"path": "/etc/passwd", "file": "/etc/passwd", "data": "/etc/passwd", "name": "/etc/passwd"}},
    ],
)
def test_no_path_of_this_machine_is_read(client: Client, champion: Host, body: dict[str, Any]) -> None:
    reply = client.post("/models/loans/batches", **body)
    assert reply.status_code == 422
    assert "root:" not in reply.text
    assert len(champion.store.batches.list("loans")) == 1


def test_two_files_and_too_many_fields_are_422(client: Client, champion: Host, files: Files) -> None:
    content = files.later.read_bytes()
    two = client.post("/models/loans/batches", files=[("file", ("a.csv", content)), ("file", ("b.csv", content))])
    assert (two.status_code, "one is allowed" in two.json()["message"]) == (422, True)
    many = client.post("/models/loans/batches", files={f"f{i}": (None, "x") for i in range(50)})
    assert (many.status_code, many.json()["error"]) == (422, "The file cannot be read")


def test_a_large_file_is_taken_and_a_large_field_or_many_files_are_not(client: Client, champion: Host) -> None:
    rows = b"".join(b"L%06d,%d,3.0,A\n" % (i, 2000 + i // 1000) for i in range(300_000))
    taken = client.post("/models/loans/batches", files={"file": ("x.csv", b"loan,day,income,town\n" + rows)})
    assert (taken.status_code, taken.json()["rows"]) == (200, 300_000)
    field = client.post("/models/loans/batches", files={"x": (None, "a" * 8_000_000)})
    files = client.post("/models/loans/batches", files=[("f", (f"{i}.csv", b"a" * 900_000)) for i in range(8)])
    for reply in (field, files):
        assert (reply.status_code, "fields hold more than" in reply.json()["message"]) == (422, True)


def test_an_unknown_address_or_method_is_answered_with_a_sentence(client: Client) -> None:
    for reply, status in ((client.get("/nothing"), 404), (client.get("/verbs/status"), 405)):
        assert reply.status_code == status
        assert reply.json()["message"].endswith(".")


def test_a_bug_is_500_with_a_sentence_and_nothing_of_it(
    client: Client, champion: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: Any, **_more: Any) -> None:
        raise RuntimeError("secret /etc/place")

    monkeypatch.setattr(api, "carry_out", broken)
    sent: list[Any] = []

    async def ask_it() -> None:
        async def send(message: Any) -> None:  # ruff: ignore[unused-async] ASGI calls it so
            sent.append(message)

        async def receive() -> dict[str, Any]:  # ruff: ignore[unused-async] ASGI calls it so
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {
            "type": "http", "method": "POST", "path": "/models/loans/score", "query_string": b"batch=b-0001",
            "headers": [(b"host", b"127.0.0.1")],
        }  # fmt: skip
        await api.build()(scope, receive, send)

    with pytest.raises(RuntimeError):  # it is raised again for the server's log
        asyncio.run(ask_it())
    told = b"".join(message.get("body", b"") for message in sent)
    assert sent[0]["status"] == 500
    assert b"met a bug" in told
    assert b"secret" not in told


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


def test_the_token_is_a_bearer_and_is_asked_for_before_the_body_is_read(client: Client, held: Host) -> None:
    for given in (held.token, f"Basic {held.token}", f"Bearer x{held.token}", f"Bearer {held.token[:-1]}"):
        reply = client.post("/verbs/status", headers={"Authorization": given})
        assert reply.status_code == 401

    async def endless() -> AsyncIterator[bytes]:  # ruff: ignore[unused-async] httpx wants an asynchronous body
        yield b"x"
        raise AssertionError("the body was read")

    assert client.post("/verbs/status", content=endless()).status_code == 401


@pytest.mark.parametrize("name", ["data", "file", "path", "home", "out"])
def test_a_verb_takes_no_path_of_this_machine(client: Client, champion: Host, name: str) -> None:
    reply = ask(client, "receive", champion.token, model="loans", **{name: "/etc/passwd"})
    assert reply.status_code == 422
    assert "root:" not in reply.text


def test_a_verb_refuses_half_a_character_and_a_call_without_a_bottom(client: Client, champion: Host) -> None:
    for more in ({"model": "\ud800"}, {"model": "loans", "by": "\udfff"}):
        reply = ask(client, "lineage" if "by" not in more else "rollback", champion.token, **more)  # type: ignore[arg-type]
        assert (reply.status_code, "Unicode" in reply.json()["message"]) == (422, True)
    deep = client.post(
        "/verbs/status", files={"call": (None, "[" * 100_000)}, headers={"Authorization": f"Bearer {champion.token}"}
    )
    assert deep.status_code == 422


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
    assert str(held.store.home) not in reply.text
