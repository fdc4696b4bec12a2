"""在岗 which postings are effective between two days, where, and whom they count: the ground of figures and coverage.

A posting is effective when the cadre has arrived and at least one day from arrival to the earlier of actual and planned
end lies between the two days, all included. As of the last day ``:day``; the first day is ``:first``.
"""

from services.projection.lens import Lens
from services.projection.scope import seen, visible
from services.projection.units import heirs


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
WITH RECURSIVE {visible(lens.scope)}, {heirs(lens)},
effective AS MATERIALIZED (
    SELECT p.posting, p.tier, p.category, p.person, p.arrived_on, p.hosts, p.host_since, p.document, p.year, p.serial,
           LEAST(p.ended_on, p.ends) AS last_day FROM postings p
    WHERE {lens.cut.known("p")} AND {seen(lens.scope)}
      AND p.arrived_on <= CAST(:day AS date)
      AND LEAST(p.ended_on, p.ends) >= GREATEST(p.arrived_on, CAST(:first AS date))),
people AS (
    SELECT DISTINCT ON (tier, person) tier, person, category FROM effective
    ORDER BY tier, person, arrived_on DESC, posting DESC),
stays AS (
    SELECT s.*, LEAST(s.last, s.until - 1) AS last_day FROM (
        SELECT posting, tier, category, person, arrived_on, last_day AS last, unnest(hosts) COLLATE "C" AS host,
               unnest(host_since) AS since, unnest(host_since[2:] || CAST(NULL AS date)) AS until FROM effective) s
    WHERE GREATEST(s.since, s.arrived_on) <= LEAST(s.last, s.until - 1, CAST(:day AS date))
      AND LEAST(s.last, s.until - 1) >= CAST(:first AS date)),
reached AS (
    SELECT s.posting, s.tier, s.category, s.person, COALESCE(h.heir, s.host) AS host, u.kind, s.host AS stayed_at
    FROM stays s
    LEFT JOIN heirs h ON h.unit = s.host AND h.since <= s.last_day AND (h.until IS NULL OR h.until > s.last_day)
    LEFT JOIN units u ON u.unit = COALESCE(h.heir, s.host) AND {lens.cut.known("u")})"""
