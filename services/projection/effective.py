"""在岗 which postings are effective between two days, where, and whom they count: the ground of figures and coverage.

A posting is effective when the cadre has arrived and at least one day from arrival to the earlier of actual and planned
end lies between the two days, all included. As of the last day ``:day``; the first day is ``:first``.
"""

from services.projection.lens import Lens
from services.projection.scope import seen, visible


def effective(lens: Lens) -> str:
    """The head ``WITH RECURSIVE ...`` of a query, with these tables:

    ``effective``: the rows of postings in force, with ``last_day``.
    ``people (tier, person, category)``: each person once per tier, in the category of the posting in force last:
    greatest arrival, then greatest posting by code point.
    ``stays (posting, host, last_day)``: where each posting was in that time, one row per host.
    ``reached (posting, tier, category, person, host, kind, stayed_at)``: the host that each stay counts for: the
    successor of a merged one where the stay ran on, the old host where it ended before.
    """
    return f"""
WITH RECURSIVE {visible(lens.scope)},
effective AS MATERIALIZED (
    SELECT p.*, LEAST(p.ended_on, p.ends) AS last_day FROM postings p
    WHERE {lens.cut.known("p")} AND {seen(lens.scope)}
      AND p.arrived_on <= CAST(:day AS date)
      AND LEAST(p.ended_on, p.ends) >= GREATEST(p.arrived_on, CAST(:first AS date))),
people AS (
    SELECT DISTINCT ON (tier, person) tier, person, category FROM effective
    ORDER BY tier, person, arrived_on DESC, posting DESC),
stays AS (
    SELECT e.posting, s.host, LEAST(e.last_day, s.until - 1) AS last_day
    FROM effective e CROSS JOIN LATERAL (
        SELECT h.host, h.since, lead(h.since) OVER (ORDER BY h.n) AS until
        FROM unnest(e.hosts, e.host_since) WITH ORDINALITY AS h (host, since, n)) s
    WHERE GREATEST(s.since, e.arrived_on) <= LEAST(e.last_day, s.until - 1, CAST(:day AS date))
      AND LEAST(e.last_day, s.until - 1) >= CAST(:first AS date)),
counted (posting, host, last_day, stayed_at) AS (
    SELECT posting, host COLLATE "C", last_day, host FROM stays
    UNION
    SELECT c.posting, u.merged_into, c.last_day, c.stayed_at FROM counted c
    JOIN units u ON u.unit = c.host AND {lens.cut.known("u")} AND u.merged_on <= LEAST(c.last_day, CAST(:day AS date))),
reached AS (
    SELECT e.posting, e.tier, e.category, e.person, c.host, u.kind, c.stayed_at
    FROM counted c JOIN effective e ON e.posting = c.posting
    LEFT JOIN units u ON u.unit = c.host AND {lens.cut.known("u")}
    WHERE u.merged_on IS NULL OR u.merged_on > LEAST(c.last_day, CAST(:day AS date)))"""
