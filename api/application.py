"""The application: routes, what errors become, and the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.admission import Admission
from api.bodies import Health, Manifest
from api.campaigns import campaign_routes
from api.pages.application import pages_application
from api.pages.thumbnail_cache import ThumbnailCache
from api.problems import Problem, documented, problem_response
from api.refusals import ApiRefusal, BodyTooLarge, MethodNotAllowed, PathUnknown, RequestInvalid
from api.reports import report_routes
from api.services import Services
from greenroom import __version__
from greenroom.errors import DatabaseUnavailable, GreenroomError
from greenroom.settings import Settings
from greenroom.untrusted_text import one_line

_DESCRIPTION: Final = (
    "Gets WhatsApp media ready before a campaign is sent. Errors are problem details (RFC 9457), and their "
    "`title` is the error's name in Greenroom."
)
#: What the framework itself refuses.
_REFUSED: Final[dict[int, type[ApiRefusal]]] = {404: PathUnknown, 405: MethodNotAllowed, 413: BodyTooLarge}
_REFUSALS: Final = {
    PathUnknown: "There is nothing at this path; /openapi.json has all that there are.",
    MethodNotAllowed: "This path takes another method; /openapi.json says which.",
    BodyTooLarge: "The body is larger than what is taken here. Send it in parts.",
    RequestInvalid: "The body cannot be read. Send JSON.",
}


def application(services: Services, settings: Settings, thumbnails: ThumbnailCache) -> ASGIApp:
    """The API and the pages, as a server runs them."""
    api = FastAPI(
        title="Greenroom",
        version=__version__,
        description=_DESCRIPTION,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False},
        # Shows in the document how to come in; who does is decided before, in `api.admission`.
        dependencies=[Depends(HTTPBearer(auto_error=False, description="`greenroom token new NAME`"))],
    )
    api.state.services = services
    api.include_router(campaign_routes())
    api.include_router(report_routes())
    _add_health(api)
    _add_errors(api)
    _complete_document(api)
    admission = Admission(api, pages_application(services, settings, thumbnails), services)
    return ProxyHeadersMiddleware(admission, settings.trusted_proxies)  # type: ignore[arg-type, return-value] # types of its own


def _add_health(api: FastAPI) -> None:
    @api.get("/healthz", responses={503: documented(DatabaseUnavailable)[503]}, tags=["health"])
    def health(request: Request) -> Health:
        """Whether the server answers and reaches its database; for everybody, and without a token."""
        with Services.of(request).database.read():
            return Health(status="ok")


def _add_errors(api: FastAPI) -> None:
    @api.exception_handler(GreenroomError)
    async def _ours(_: Request, error: Exception) -> JSONResponse:
        return problem_response(error if isinstance(error, GreenroomError) else GreenroomError())

    @api.exception_handler(HTTPException)
    async def _frameworks(_: Request, error: Exception) -> JSONResponse:
        kind = _REFUSED.get(getattr(error, "status_code", 400), RequestInvalid)
        response = problem_response(kind(_REFUSALS[kind]))
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    @api.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: Exception) -> JSONResponse:
        return problem_response(RequestInvalid(_first(error)))

    @api.exception_handler(Exception)
    async def _unexpected(_: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 - the log has it
        return problem_response(GreenroomError("Something went wrong here; the server's log says what."))


def _first(error: Exception) -> str:
    """The first mistake in words; values are not quoted."""
    if not isinstance(error, RequestValidationError):
        return _REFUSALS[RequestInvalid]
    problems = error.errors()
    where = ".".join(map(str, problems[0]["loc"]))
    more = f" So are {len(problems) - 1} more." if len(problems) > 1 else ""
    return one_line(f"{where}: {problems[0]['msg'].removeprefix('Value error, ')}.{more}", longest=500)


def _complete_document(api: FastAPI) -> None:
    """Add the schemas of what is not read by the framework: manifests, and problems."""
    made = api.openapi

    def complete() -> dict[str, Any]:
        document = made()
        schemas = document["components"]["schemas"]
        for model in (Manifest, Problem):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(schema.pop("$defs", {}))
            schemas[model.__name__] = schema
        # The framework's own form of errors, which no answer has.
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        return document

    api.openapi = complete  # type: ignore[method-assign] # as FastAPI's documentation has it
