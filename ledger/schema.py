"""The tables of one ledger database. The ledger is the outbox: what stands here is what the relay publishes.

Made by Alembic (``ledger/migrations``); declared here for queries only.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import DATERANGE, INT8RANGE, JSONB

metadata = MetaData()
moment = DateTime(timezone=True)

events = Table(
    "ledger",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("stream", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("schema", SmallInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("cause", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", moment, nullable=False),
    Column("recorded_at", moment, nullable=False),
    Column("trace", Text, nullable=False),
    Column("stream_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
COLUMNS = ", ".join(f'"{column.name}"' for column in events.c)
"""Of ``events``, in the order of :class:`ledger.recorded.Recorded`, for SQL by hand."""

requests = Table(
    "requests",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("recorded_at", moment, nullable=False),
)

claims = Table(
    "claims",
    metadata,
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("during", DATERANGE, nullable=False),
    Column("slot", INT8RANGE, nullable=False),
)

meta = Table(
    "ledger_meta",
    metadata,
    Column("one", Boolean, primary_key=True),
    Column("epoch", String(36), nullable=False),
    Column("clock", Text, nullable=True),
    Column("simulated_now", moment, nullable=True),
)

published = Table(
    "relay",
    metadata,
    Column("one", Boolean, primary_key=True),
    Column("epoch", String(36), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("key_changes", BigInteger, nullable=False),
    Column("partitions", JSONB, nullable=False),
    Column("at", moment, nullable=False),
)

keyring = Table(
    "keyring",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=True),
    Column("change", BigInteger, nullable=False, unique=True),
    Column("changed_at", moment, nullable=False),
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("handler", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("epoch", String(36), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("reached", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("next", BigInteger, nullable=False),
    Column("reached_at", moment, nullable=True),
    Column("former", ARRAY(Text), nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("handler", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("stream", Text, nullable=True),
    Column("epoch", String(36), nullable=True),
    Column("position", BigInteger, nullable=True),
    Column("key", LargeBinary, nullable=True),
    Column("value", LargeBinary, nullable=True),
    Column("headers", JSONB, nullable=False),
    Column("reason", Text, nullable=False),
    Column("parked_at", moment, nullable=False),
)
