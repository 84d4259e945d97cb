"""What may other programs ask over HTTP? Health, the intake routes, and the verbs for the command line.

Mounted under ``/api`` by ``app.py``. Handlers run in a thread pool and call verbs only. Every error is JSON with a
headline and a sentence, and names no folder of this machine. ``door`` has turned away other hosts and origins. It refuses
uploads above the policy's limit, and verbs without the token that stands in the home's ``owner.json``.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import python_multipart
from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser
from starlette.exceptions import HTTPException

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
from pipeline_core.service.asking import READING
from pipeline_core.service.door import Door, allowed_hosts
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
    "application/vnd.apache.arrow.file": ".arrow",
    "application/vnd.apache.arrow.stream": ".arrow",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}
FIELD_BYTES_MAX = 1_000_000
FORM_MEMORY_BYTES_MAX = 4_000_000
FIELDS_MAX = 16
MESSAGE_CHARACTERS_MAX = 2_000
SENTENCES = {
    HTTPStatus.NOT_FOUND: "There is no such address here; the README names the routes.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take that method; the README names the routes.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The app met a bug and wrote it into its log. Nothing was kept; please report it.",
}


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
    held = await run_in_threadpool(_held)
    limit = int(held.store.policy.upload_bytes_max)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit + FIELD_BYTES_MAX:
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
        if len(upload.fields) >= FIELDS_MAX:
            raise FormParserError(f"it has more than {FIELDS_MAX} fields")
        upload.fields[(part.field_name or b"").decode()] = (part.value or b"").decode()

    settings = {"UPLOAD_DIR": str(folder), "UPLOAD_DELETE_TMP": False}
    kind = {"Content-Type": request.headers["content-type"].encode("latin-1")}
    try:
        parser = python_multipart.create_form_parser(kind, on_field, files.append, config=settings)
        await _feed(parser, request, limit, folder)
    except (FormParserError, UnicodeDecodeError) as error:
        raise Unreadable(f"The form cannot be read: {error}. Send multipart/form-data with one file.") from None
    if len(files) > 1:
        raise Unreadable(f"The form has {len(files)} files; one is allowed. Send each in a request of its own.")
    if files:
        name = (files[0].file_name or b"upload").decode("utf-8", "replace")
        upload.file = await run_in_threadpool(_settle, files[0], folder / f"upload{_ending(name)}")
        upload.name = _shown(name)
    return upload


async def _feed(parser: FormParser, request: Request, limit: int, folder: Path) -> None:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit + FIELD_BYTES_MAX:
            raise _TooLarge(limit)
        parser.write(chunk)
        # a file goes to the disk; the parser would keep fields of any size, and any number of small files, in memory
        if size - sum(part.stat().st_size for part in folder.iterdir()) > FORM_MEMORY_BYTES_MAX:
            raise FormParserError(f"its fields hold more than {FORM_MEMORY_BYTES_MAX:,} bytes")
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


class _Closed(PipelineError):
    """The home cannot be opened, whatever the reason: nobody who asks over HTTP can mend that."""

    def __init__(self, reason: PipelineError) -> None:
        super().__init__(reason.message)
        self.headline = reason.headline
        self.kind = type(reason).__name__


def _held() -> process.Host:
    try:
        return process.host()
    except PipelineError as error:
        raise _Closed(error) from error


def _error(status: int, headline: str, message: str, more: Mapping[str, Any] | None = None) -> JSONResponse:
    # where the home lies is nobody's business who has no account here
    told = message.replace(str(process.home_folder()), "the home folder")[:MESSAGE_CHARACTERS_MAX]
    return JSONResponse({**(more or {}), "error": headline, "message": told}, status_code=status)


def _on_known(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PipelineError)  # registered for it only
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), HTTPStatus.SERVICE_UNAVAILABLE)
    kind = error.kind if isinstance(error, _Closed) else type(error).__name__
    return _error(status, error.headline, error.message, {"kind": kind})


def _on_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    return _error(status, status.phrase, SENTENCES.get(status, str(error.detail)))


def _on_invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return _error(HTTPStatus.UNPROCESSABLE_ENTITY, "The request does not fit", said)


def _on_bug(_request: Request, _bug: Exception) -> JSONResponse:
    status = HTTPStatus.INTERNAL_SERVER_ERROR  # the server logs the traceback after this answer
    return _error(status, status.phrase, SENTENCES[status])


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
    api.add_exception_handler(Exception, _on_bug)
    api.get("/health")(health)
    api.post("/models/{model}/batches", response_model=None)(post_batch)
    api.post("/models/{model}/labels", response_model=None)(post_labels)
    api.post("/models/{model}/score", response_model=None)(post_score)
    # the word is asked for before the body is read
    api.post("/verbs/{verb}", response_model=None, dependencies=[Depends(authorised)])(post_verb)
    return api


def how(request: Request) -> dict[str, Any]:
    """Read from the query what the command line takes as flags: ``?encoding=cp949&date-order=dmy&null=-200``.

    Parameters
    ----------
    request : Request
        An option that takes a list may come several times.

    Returns
    -------
    dict
        Arguments of a verb.
    """
    query = request.query_params
    return {
        name: query.getlist(name) if option.kind == "names" else query[name]
        for name, option in READING.items()
        if name in query
    }


Body = Annotated[Upload, Depends(received)]
How = Annotated[dict[str, Any], Depends(how)]


def health() -> dict[str, Any]:
    """Say whether the store answers and the worker runs."""
    held = _held()
    jobs = held.store.jobs.list(active=True)
    return {
        "status": "ok" if held.worker.running else "no worker",
        "models": len(held.store.models.names()),
        "revision": held.store.revision,
        "active_jobs": len(jobs),
    }


def post_batch(model: str, body: Body, reading: How) -> JSONResponse:
    """Receive a file as a batch: 200 accepted, 422 quarantined with its findings."""
    answer = _short("receive", model, body, {"source": body.name, **reading})
    if answer.code == 0:
        return JSONResponse(_said(answer))
    message = f"Batch {answer.content['batch_id']} is quarantined: it takes part in nothing. See its findings."
    return _error(HTTPStatus.UNPROCESSABLE_ENTITY, Quarantined.headline, message, answer.content)


def post_labels(model: str, body: Body, reading: How) -> JSONResponse:
    """Join ground truth by row id."""
    return JSONResponse(_said(_short("labels", model, body, {"source": body.name, **reading})))


def post_score(model: str, body: Body, reading: How, batch: str | None = None) -> JSONResponse:
    """Score a file, or with ``?batch=`` a received batch; answers with the predictions."""
    arguments = {"batch": batch} if batch else {"source": body.name, **reading}
    return JSONResponse(_said(_short("score", model, body, arguments)))


def _short(verb: str, model: str, body: Upload, arguments: dict[str, Any]) -> Answer:
    if body.file is None and verb_named(verb).file == "required":
        raise InvalidDefinition("This request has no file. Send one as a part of a form, or as the body.")
    store = _held().store
    return carry_out(store, verb, model, arguments=arguments, file=body.file, progress=_quietly)


def authorised(request: Request) -> None:
    """Let only those through who can read the home's ``owner.json``.

    Parameters
    ----------
    request : Request
        Must bring its token as a bearer.

    Raises
    ------
    HTTPException
        401 without the token.
    """
    kind, _, word = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not hmac.compare_digest(word.strip().encode(), _held().token.encode()):
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "Verbs want the token that stands in the home's owner.json.")


def post_verb(verb: str, body: Body) -> JSONResponse:
    """Carry out a verb for the command line; long ones go through the worker, so that every screen sees them.

    Parameters
    ----------
    verb : str
        Its name.
    body : Upload
        The form field ``call`` = {"model", "arguments"}, and perhaps a file.

    Returns
    -------
    JSONResponse
        {"code", "content"}: the exit code and what ``--json`` prints.
    """
    held = _held()
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
    except (ValueError, AttributeError, RecursionError):
        raise InvalidDefinition("The form field 'call' must be JSON with 'model' and 'arguments'.") from None
    if not (model is None or isinstance(model, str)) or not isinstance(arguments, dict):
        raise InvalidDefinition("The form field 'call' must be JSON: 'model' text or null, 'arguments' an object.")
    return model, arguments
