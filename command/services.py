"""The services of the programme, in the order in which one posting meets them."""

from services.assessment.__main__ import SERVICE as ASSESSMENT
from services.notify.__main__ import SERVICE as NOTIFY
from services.projection.__main__ import SERVICE as PROJECTION
from services.registry.__main__ import SERVICE as REGISTRY
from services.reporting.__main__ import SERVICE as REPORTING

from chassis.service import Service

SERVICES: tuple[Service, ...] = (REGISTRY, REPORTING, ASSESSMENT, NOTIFY, PROJECTION)

LEDGERS: tuple[Service, ...] = tuple(service for service in SERVICES if service.topics)
"""Those that record: the projection records nothing of its own."""
