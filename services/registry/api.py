"""The registry over HTTP, below ``/api/registry``."""

from fastapi import APIRouter

from services.registry import api_imports, api_persons, api_postings, api_units

router = APIRouter(prefix="/api/registry")
for part in (api_units, api_persons, api_postings, api_imports):
    router.include_router(part.router)
