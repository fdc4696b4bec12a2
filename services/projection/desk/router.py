"""All pages of the desk."""

from fastapi import APIRouter

from services.projection.desk import (
    changes,
    figure,
    finder,
    importing,
    interface,
    overview,
    posting,
    situation,
    static,
    tree,
)

router = APIRouter(include_in_schema=False)
for part in (overview, figure, situation, finder, posting, tree, importing, changes, interface, static):
    router.include_router(part.router)
