"""What may other programs ask over HTTP? Health, the intake routes, and the verbs for the command line.

Mounted under ``/api`` by ``app.py``. Handlers run in a thread pool and call verbs only. Every error is JSON with a
headline and a sentence. It refuses requests for another host name and from pages of another origin, uploads above the
policy's limit, and verbs without the token that stands in the home's ``owner.json``.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import python_multipart
from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline_core.errors import (
    InvalidDefinition,
    NotEnough,
    NotFound,
    PipelineError,
    Quarantined,
    Refused,
    Stale,
    Unreadable,
)
from pipeline_core.service import host as process
from pipeline_core.service.verbs import Answer, carry_out, verb_named

STATUS: dict[type[PipelineError], HTTPStatus] = {
    NotFound: HTTPStatus.NOT_FOUND,
    Stale: HTTPStatus.CONFLICT,
    Refused: HTTPStatus.CONFLICT,
    Quarantined: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidDefinition: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotEnough: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unreadable: HTTPStatus.UNPROCESSABLE_ENTITY,
}
ENDINGS = {
    "text/csv": ".csv",
    "application/vnd.apache.parquet": ".parquet",
    "application/x-parquet": ".parquet",
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/json": ".jsonl",
}
FIELD_BYTES_MAX = 1_000_000


# --- who may ask ------------------------------------------------------------------------------


class Door:
    """Pure ASGI middleware: only our own host names, no page of another origin.

    Parameters
    ----------
    app : ASGI application
        What is behind the door.
    hosts : frozenset of str
        Host names that are allowed beside loopback.
    """

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with 403 and the reason."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(headers)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        body = {"error": "Refused", "message": refusal}
        await JSONResponse(body, status_code=HTTPStatus.FORBIDDEN)(scope, receive, send)

    def _refusal(self, headers: dict[str, str]) -> str | None:
        host = headers.get("host", "")
        name = host_name(host)
        if name is None or not (is_loopback(name) or name in self._hosts):
            return f"Requests for the host {host!r} are not answered; loopback is, and what PIPELINE_HOSTS names."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return f"Requests from pages of {origin!r} are not answered; only the app's own pages may ask."
        return None


def host_name(host: str) -> str | None:
    """Give the name in a Host header without its port, or None where it is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def is_loopback(name: str) -> bool:
    """Say whether a host name means this machine."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def allowed_hosts() -> frozenset[str]:
    """Give the further host names that ``$PIPELINE_HOSTS`` names, separated by commas."""
    return frozenset(name.strip().lower() for name in os.environ.get("PIPELINE_HOSTS", "").split(",") if name.strip())


# --- what comes in ----------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Upload:
    """A request's body: at most one file, in a scratch folder that goes with the request, and form fields."""

    file: Path | None = None
    name: str = "upload"
    fields: dict[str, str] = field(default_factory=dict)


class _TooLarge(HTTPException):
    def __init__(self, limit: int) -> None:
        super().__init__(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The upload is larger than the {limit:,} bytes that the policy allows (upload_bytes_max). "
            "Send it in parts, or raise the limit in policy.toml.",
        )


async def received(request: Request) -> AsyncIterator[Upload]:
    """Stream the body into the home's scratch folder; multipart form or the bare file.

    Parameters
    ----------
    request : Request
        Of a bare file the name comes from ``?name=``, or the ending from its content type.

    Yields
    ------
    Upload

    Raises
    ------
    _TooLarge
        The body is larger than the policy allows; told as status 413.
    """
    held = await run_in_threadpool(process.host)
    limit = int(held.store.policy.upload_bytes_max)
    if int(request.headers.get("content-length") or 0) > limit + FIELD_BYTES_MAX:
        raise _TooLarge(limit)
    async with contextmanager_in_threadpool(held.store.work_dir()) as folder:
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            yield await _form(request, folder, limit)
        else:
            yield await _bare(request, folder, limit)


async def _bare(request: Request, folder: Path, limit: int) -> Upload:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    name = request.query_params.get("name") or f"upload{ENDINGS.get(kind, '')}"
    path = folder / f"upload{_ending(name)}"
    size = 0
    with path.open("wb") as out:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _TooLarge(limit)
            out.write(chunk)
    return Upload(file=path if size else None, name=_shown(name))


async def _form(request: Request, folder: Path, limit: int) -> Upload:
    upload = Upload()
    files: list[File] = []

    def on_field(part: Field) -> None:
        upload.fields[(part.field_name or b"").decode()] = (part.value or b"").decode()

    settings = {"UPLOAD_DIR": str(folder), "UPLOAD_DELETE_TMP": False, "MAX_FIELD_SIZE": FIELD_BYTES_MAX}
    kind = {"Content-Type": request.headers["content-type"].encode("latin-1")}
    try:
        parser = python_multipart.create_form_parser(kind, on_field, files.append, config=settings)
        await _feed(parser, request, limit)
    except (FormParserError, UnicodeDecodeError) as error:
        raise Unreadable(f"The form cannot be read: {error}. Send multipart/form-data with one file.") from None
    if files:
        name = (files[0].file_name or b"upload").decode("utf-8", "replace")
        upload.file = await run_in_threadpool(_settle, files[0], folder / f"upload{_ending(name)}")
        upload.name = _shown(name)
    return upload


async def _feed(parser: FormParser, request: Request, limit: int) -> None:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit + FIELD_BYTES_MAX:
            raise _TooLarge(limit)
        parser.write(chunk)
    parser.finalize()


def _settle(part: File, path: Path) -> Path:
    """Move a part to its place; small ones are still in memory."""
    if part.in_memory:
        part.flush_to_disk()
    part.close()
    Path(os.fsdecode(part.actual_file_name or b"")).rename(path)
    return path


def _ending(name: str) -> str:
    """Keep of a client's file name only its harmless ending: the server chooses names itself."""
    ending = Path(name).suffix.lower()
    return ending if ending[1:].isalnum() and len(ending) <= 10 else ""


def _shown(name: str) -> str:
    """Give a client's file name as a label: last part, printable, at most 128 characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[:128] or "upload"


# --- what goes out ----------------------------------------------------------------------------


def _error(status: int, headline: str, message: str, more: Mapping[str, Any] | None = None) -> JSONResponse:
    return JSONResponse({**(more or {}), "error": headline, "message": message}, status_code=status)


def _on_known(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PipelineError)  # registered for it only
    status = STATUS.get(type(error), HTTPStatus.SERVICE_UNAVAILABLE)
    return _error(status, error.headline, error.message, {"kind": type(error).__name__})


def _on_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, HTTPStatus(error.status_code).phrase, str(error.detail))


def _on_invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return _error(HTTPStatus.UNPROCESSABLE_ENTITY, "The request does not fit", said)


def _quietly(_share: float, _message: str) -> None:
    """Take progress of a short verb, which nobody watches."""


def _said(answer: Answer) -> dict[str, Any]:
    if answer.predictions is None:
        return answer.content
    return {**answer.content, "predictions": answer.predictions.to_pylist()}


def build() -> FastAPI:
    """Make the application.

    Returns
    -------
    FastAPI
        To be mounted at ``/api``; without the interactive pages, which would load scripts from elsewhere.
    """
    api = FastAPI(title="Pipeline Monitor", docs_url=None, redoc_url=None)
    api.add_middleware(Door, hosts=allowed_hosts())
    api.add_exception_handler(PipelineError, _on_known)
    api.add_exception_handler(HTTPException, _on_http)
    api.add_exception_handler(RequestValidationError, _on_invalid)
    api.get("/health")(health)
    api.post("/models/{model}/batches", response_model=None)(post_batch)
    api.post("/models/{model}/labels", response_model=None)(post_labels)
    api.post("/models/{model}/score", response_model=None)(post_score)
    api.post("/verbs/{verb}", response_model=None)(post_verb)
    return api


Body = Annotated[Upload, Depends(received)]


def health() -> dict[str, Any]:
    """Say whether the store answers and the worker runs."""
    held = process.host()
    jobs = held.store.jobs.list(active=True)
    return {
        "status": "ok" if held.worker.running else "no worker",
        "models": len(held.store.models.names()),
        "revision": held.store.revision,
        "active_jobs": len(jobs),
    }


def post_batch(model: str, body: Body) -> JSONResponse:
    """Receive a file as a batch: 200 accepted, 422 quarantined with its findings."""
    answer = _short("receive", model, body, {"source": body.name})
    if answer.code == 0:
        return JSONResponse(_said(answer))
    message = f"Batch {answer.content['batch_id']} is quarantined: it takes part in nothing. See its findings."
    return _error(HTTPStatus.UNPROCESSABLE_ENTITY, Quarantined.headline, message, answer.content)


def post_labels(model: str, body: Body) -> JSONResponse:
    """Join ground truth by row id."""
    return JSONResponse(_said(_short("labels", model, body, {"source": body.name})))


def post_score(model: str, body: Body, batch: str | None = None) -> JSONResponse:
    """Score a file, or with ``?batch=`` a received batch; answers with the predictions."""
    arguments = {"batch": batch} if batch else {"source": body.name}
    return JSONResponse(_said(_short("score", model, body, arguments)))


def _short(verb: str, model: str, body: Upload, arguments: dict[str, Any]) -> Answer:
    store = process.host().store
    return carry_out(store, verb, model, arguments=arguments, file=body.file, progress=_quietly)


def post_verb(verb: str, request: Request, body: Body) -> JSONResponse:
    """Carry out a verb for the command line; long ones go through the worker, so that every screen sees them.

    Parameters
    ----------
    verb : str
        Its name.
    request : Request
        Must bring the token of ``owner.json`` as a bearer.
    body : Upload
        The form field ``call`` = {"model", "arguments"}, and perhaps a file.

    Returns
    -------
    JSONResponse
        {"code", "content"}: the exit code and what ``--json`` prints.

    Raises
    ------
    HTTPException
        401 without the token.
    """
    held = process.host()
    word = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if not hmac.compare_digest(word.encode(), held.token.encode()):
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "Verbs want the token that stands in the home's owner.json.")
    model, arguments = _call(body.fields.get("call", "{}"))
    if verb_named(verb).long:
        answer = held.worker.run(verb, model, arguments, file=body.file)
    else:
        answer = carry_out(held.store, verb, model, arguments=arguments, file=body.file, progress=_quietly)
    return JSONResponse({"code": answer.code, "content": _said(answer)})


def _call(text: str) -> tuple[str | None, dict[str, Any]]:
    try:
        call = json.loads(text)
        model, arguments = call.get("model"), call.get("arguments") or {}
    except (json.JSONDecodeError, AttributeError):
        raise InvalidDefinition("The form field 'call' must be JSON with 'model' and 'arguments'.") from None
    if not (model is None or isinstance(model, str)) or not isinstance(arguments, dict):
        raise InvalidDefinition("The form field 'call' must be JSON: 'model' text or null, 'arguments' an object.")
    return model, arguments
