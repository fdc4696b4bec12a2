"""RFC 9457 problem details: every refusal has a stable code, says what is the matter and the next step, zh and en."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypedDict

from starlette.responses import JSONResponse

from chassis.catalogue import Catalogue

MEDIA_TYPE = "application/problem+json"


class FieldError(TypedDict):
    """One mistake in the input: where it stands (`body.ends`, `query.limit`), what is wrong. Never the value itself."""

    where: str
    code: str
    detail: str
    detail_en: str


class Problem(Exception):
    """A refusal over HTTP. `code` and `params` find the sentence in the catalogue; parameters hold nothing personal."""

    status: ClassVar[int] = 400

    def __init__(
        self,
        code: str,
        /,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **params: object,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.params: dict[str, object] = params
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


class BadRequest(Problem):
    status = 400


class Unauthenticated(Problem):
    status = 401


class Forbidden(Problem):
    status = 403


class NotFound(Problem):
    status = 404


class Conflict(Problem):
    status = 409


class Gone(Problem):
    status = 410


class TooLarge(Problem):
    status = 413


class UnsupportedMedia(Problem):
    status = 415


class Unprocessable(Problem):
    status = 422


class TooManyRequests(Problem):
    status = 429


class Unavailable(Problem):
    status = 503


Translate = Callable[[Any], Problem]
"""From an exception of another layer (a ledger conflict, say) to the problem that a client sees."""


def problem_body(catalogue: Catalogue, problem: Problem) -> dict[str, Any]:
    """The members of the document: type, title, status, detail (zh), code, title_en, detail_en, perhaps errors."""
    sentence = catalogue.say(problem.code, **problem.params)
    body: dict[str, Any] = {
        "type": f"/problems/{problem.code}",
        "title": sentence.title_zh,
        "status": problem.status,
        "detail": sentence.zh,
        "code": problem.code,
        "title_en": sentence.title_en,
        "detail_en": sentence.en,
    }
    if problem.errors:
        body["errors"] = list(problem.errors)
    return body


def problem_response(catalogue: Catalogue, problem: Problem) -> JSONResponse:
    """The answer to send; never cached."""
    return JSONResponse(
        problem_body(catalogue, problem),
        status_code=problem.status,
        headers={"Cache-Control": "no-store"} | problem.headers,
        media_type=MEDIA_TYPE,
    )
