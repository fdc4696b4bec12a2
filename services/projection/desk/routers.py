"""All pages of the desk."""

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

DESK = [
    part.router for part in (overview, figure, situation, finder, posting, tree, importing, changes, interface, static)
]
