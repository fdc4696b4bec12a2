"""Style sheets and scripts: each under a name that holds its hash, so that a browser keeps it for ever and never an old one."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from chassis.problems import NotFound

router = APIRouter(include_in_schema=False)

PREFIX = "/static/"
_SERVED = {".css", ".js", ".svg"}
_ALL = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as it is sent, with and without compression: a village's network is slow."""

    address: str
    media_type: str
    plain: bytes
    packed: bytes


@cache
def assets() -> dict[str, Asset]:
    """Every file that is served, by its plain name (``desk.css``, ``vendor/htmx.min.js``)."""
    found = {}
    for name, file in _walk(files(__package__ or "") / "static", ""):
        stem, dot, suffix = name.rpartition(".")
        if dot + suffix in _SERVED:
            plain = file.read_bytes()
            digest = hashlib.sha256(plain).hexdigest()[:12]
            media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
            packed = gzip.compress(plain, 9, mtime=0)
            found[name] = Asset(f"{PREFIX}{stem}.{digest}.{suffix}", media_type, plain, packed)
    return found


def address(name: str) -> str:
    """Where a page finds the file of that plain name; KeyError is a mistake of the program."""
    return assets()[name].address


def _walk(folder: Traversable, above: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            found += _walk(entry, f"{above}{entry.name}/")
        else:
            found.append((above + entry.name, entry))
    return found


@cache
def _by_address() -> dict[str, Asset]:
    return {asset.address: asset for asset in assets().values()}


@router.get(PREFIX + "{path:path}")
async def static(request: Request, path: str) -> Response:
    """A file, for a year; NotFound for any other name, an older hash included."""
    asset = _by_address().get(PREFIX + path)
    if asset is None:
        raise NotFound("route-not-found")
    headers = {"Cache-Control": _ALL, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, media_type=asset.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(asset.plain, media_type=asset.media_type, headers=headers)
