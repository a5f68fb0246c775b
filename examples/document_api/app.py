"""The document service over HTTP: its routes, and what each answer says it cost."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import IntegerConvertor, StringConvertor, register_url_convertor
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .pdf import render
from .store import Document, Store, WrongFieldsError, check

MAX_BODY = 64 * 1024
BROKEN = "broken"


class _Item(StringConvertor):
    regex = "[a-z0-9-]{1,64}"


class _Number(IntegerConvertor):
    regex = "[0-9]{1,18}"  # what SQLite surely holds in 64 bits


# Convertors are known to the whole process, so no other service may have one of these names.
register_url_convertor("document_item", _Item())
register_url_convertor("document_number", _Number())


async def _generate(request: Request) -> Response:
    body = {"pages": 1, "data": {}, **await _read_object(request)}
    check(body, ("template", "pages", "data"))
    return await run_in_threadpool(_generated, request, **body)


def _generated(request: Request, template: str, pages: int, data: Mapping[str, object]) -> Response:
    if template == BROKEN:
        raise HTTPException(500, "The document could not be generated; the fault is not yours.")
    pdf = render(template, pages, data)
    return _created(request, request.state.store.add(_account(request), pages, pdf))


class _Document(HTTPEndpoint):
    def get(self, request: Request) -> Response:
        found = _known(request.state.store.find(_account(request), **request.path_params))
        return Response(found.pdf, media_type="application/pdf")

    def delete(self, request: Request) -> Response:
        _known(request.state.store.remove(_account(request), **request.path_params))
        return Response(status_code=204, headers=_storage(request))


class _Collaboration(HTTPEndpoint):
    def get(self, request: Request) -> Response:
        found = _known(request.state.store.draft(_account(request), **request.path_params))
        return JSONResponse(_view(found), headers=_pages(found))

    async def put(self, request: Request) -> Response:
        body = await _read_object(request)
        check(body, ("pages",))
        return await run_in_threadpool(_edited, request, **request.path_params, **body)

    def delete(self, request: Request) -> Response:
        _known(request.state.store.drop(_account(request), **request.path_params))
        return Response(status_code=204, headers=_storage(request))


def _edited(request: Request, item: str, pages: int) -> Response:
    pdf = render(item, pages, {})
    draft = request.state.store.edit(_account(request), item, pages, pdf)
    status = 201 if draft.edits == 1 else 200
    return JSONResponse(_view(draft), status, _pages(draft) | _storage(request))


def _finish(request: Request) -> Response:
    finished = request.state.store.finish(_account(request), **request.path_params)
    return _created(request, _known(finished))


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _account(request: Request) -> str:
    return request.headers.get("x-fairuse-account", "")


def _known(found: Document | None) -> Document:
    if found is None:
        raise HTTPException(404, "This account has no such document or draft.")
    return found


def _created(request: Request, made: Document) -> Response:
    headers = {"Location": f"/documents/{made.id}", **_pages(made), **_storage(request)}
    return Response(made.pdf, 201, headers, "application/pdf")


def _view(draft: Document) -> dict[str, object]:
    return {"item": draft.item, "pages": draft.pages, "edits": draft.edits}


def _pages(document: Document) -> dict[str, str]:
    return {"X-Pages": str(document.pages)}


def _storage(request: Request) -> dict[str, str]:
    store, account = request.state.store, _account(request)
    return {
        "X-Storage-Bytes": str(store.stored(account)),
        "X-Stored-Pages": str(store.open_pages(account)),
    }


async def _read_object(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await _read_body(request))
    except (ValueError, RecursionError, ClientDisconnect):
        body = None
    if not isinstance(body, dict):
        raise HTTPException(400, "The body must be a JSON object.")
    return body


async def _read_body(request: Request) -> bytes:
    # What is over the limit stays unread, so the connection cannot carry another request.
    too_large = HTTPException(413, "A body may have 64 KiB.", {"Connection": "close"})
    if int(request.headers.get("content-length", "0")) > MAX_BODY:
        raise too_large
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise too_large
    return body


async def _problem(_request: Request, error: Exception) -> Response:
    if isinstance(error, WrongFieldsError):
        return _problem_document(422, str(error), errors=error.errors)
    if isinstance(error, HTTPException):
        return _problem_document(error.status_code, error.detail, error.headers)
    return _problem_document(500, "The service failed; the fault is not yours.")


def _problem_document(status: int, detail: str, headers: Any = None, **more: object) -> Response:
    # RFC 9457, whose "type" may be left out where it would be "about:blank".
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, "application/problem+json")


ITEM = "/collaborations/{item:document_item}"
ROUTES = [
    Route("/health", _health),
    Route("/documents", _generate, methods=["POST"]),
    Route("/documents/{number:document_number}", _Document),
    Route("/correspondence", _generate, methods=["POST"]),
    Route(ITEM, _Collaboration),
    Route(f"{ITEM}/finish", _finish, methods=["POST"]),
]


def create_app(database: Path) -> Starlette:
    """Build the service over one database file, which it opens when it starts."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Store]]:
        with closing(Store(database)) as store:
            yield {"store": store}

    handlers = dict.fromkeys((HTTPException, WrongFieldsError, Exception), _problem)
    app = Starlette(routes=ROUTES, lifespan=lifespan, exception_handlers=handlers)
    # A redirect would name this server's own address, which no client of the gateway knows.
    app.router.redirect_slashes = False
    return app
