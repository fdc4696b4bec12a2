"""The registry over HTTP, below ``/api/registry``."""

from services.registry import api_imports, api_persons, api_postings, api_units

ROUTERS = [part.router for part in (api_units, api_persons, api_postings, api_imports)]
