"""ETags (RFC 9110 §8.8): what a reader already has need not be sent again. The reader's scope is part of the tag."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "what the asker has already (If-None-Match)"}}
"""For the description of a route that answers so."""

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def etag(scope: str, *parts: str | bytes, weak: bool = False) -> str:
    """The tag of an answer made of `parts` (its bytes, or versions that determine it) for readers of this scope."""
    digest = hashlib.sha256()
    for part in (scope, *parts):
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return f'{"W/" if weak else ""}"{digest.hexdigest()[:32]}"'


def not_modified(request: Request, tag: str) -> bool:
    """Whether If-None-Match names this tag (weak comparison, as RFC 9110 asks for GET)."""
    given = ",".join(request.headers.getlist("if-none-match")).strip()
    return given == "*" or tag.removeprefix("W/") in _TAG.findall(given)


def conditional(
    request: Request,
    body: bytes,
    *,
    scope: str,
    tag: str | None = None,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """200 with the body, or 304 without it. Private to the reader: shared caches must not keep it."""
    tag = tag or etag(scope, body)
    common = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"} | dict(headers or {})
    if not_modified(request, tag):
        return Response(status_code=304, headers=common)
    return Response(body, media_type=media_type, headers=common)
