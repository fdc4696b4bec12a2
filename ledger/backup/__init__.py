"""Backups: what no event brings back, saved from one snapshot into a signed folder; checked; and loaded into an empty
database as a new life of its ledger."""
