"""The tables of notify beside its ledger. Made by Alembic (``migrations``); declared here for queries only."""

from sqlalchemy import Column, Date, DateTime, Integer, MetaData, Table, Text

metadata = MetaData()
moment = DateTime(timezone=True)

reminders = Table(
    "reminders",
    metadata,
    Column("reminder", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("posting", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("due", Date, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("delivered_at", moment),
    Column("reason", Text),
    Column("next_at", moment, nullable=False),
    Column("trace", Text, nullable=False),
    Column("category", Text),
)
"""``status`` is TO_SEND, DELIVERED, FAILED or LAPSED. ``next_at`` is real time: when it may be sent next."""

parties = Table(
    "parties",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("about", Text, primary_key=True),
    Column("sender", Text, nullable=False),
    Column("host", Text, nullable=False),
)
"""The two units that a report or a baseline concerns, which a reminder itself does not name."""
