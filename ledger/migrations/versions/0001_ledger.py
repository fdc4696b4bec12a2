"""The ledger, its requests, claims, relay checkpoint, keyring; watermarks and dead letters of its readers."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE ledger (
    position bigint PRIMARY KEY,
    stream text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    schema smallint NOT NULL,
    data bytea NOT NULL,
    id uuid NOT NULL,
    cause text NOT NULL,
    by text NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    trace text NOT NULL,
    stream_hash bytea NOT NULL,
    hash bytea NOT NULL,
    UNIQUE (stream, version)
);

CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'insufficient_privilege'; END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();

CREATE TABLE requests (
    principal text NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    answer bytea NOT NULL,
    position bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (principal, key)
);

CREATE TABLE claims (
    kind text NOT NULL,
    key text NOT NULL,
    stream text NOT NULL,
    during daterange NOT NULL,
    slot int8range NOT NULL,
    EXCLUDE USING gist (kind WITH =, key WITH =, during WITH &&, slot WITH &&)
);

CREATE INDEX claims_stream ON claims (stream);

CREATE INDEX claims_key ON claims (kind, key);

CREATE TABLE ledger_meta (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch varchar(36) NOT NULL,
    clock text,
    simulated_now timestamptz
);

INSERT INTO ledger_meta (epoch) VALUES (gen_random_uuid()::text);

CREATE TABLE relay (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch varchar(36) NOT NULL,
    position bigint NOT NULL,
    key_changes bigint NOT NULL,
    partitions jsonb NOT NULL,
    at timestamptz NOT NULL
);

CREATE TABLE keyring (
    stream text PRIMARY KEY,
    wrapped bytea,
    change bigint NOT NULL UNIQUE,
    changed_at timestamptz NOT NULL
);

CREATE TABLE watermarks (
    handler text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    epoch varchar(36) NOT NULL,
    position bigint NOT NULL,
    reached bigint NOT NULL,
    hash bytea NOT NULL,
    "offset" bigint NOT NULL,
    next bigint NOT NULL,
    reached_at timestamptz,
    former text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (handler, topic, partition)
);

CREATE TABLE dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    handler text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    stream text,
    epoch varchar(36),
    position bigint,
    key bytea,
    value bytea,
    headers jsonb NOT NULL,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL
);

CREATE INDEX dead_letters_stream ON dead_letters (handler, stream, position);

CREATE UNIQUE INDEX dead_letters_once ON dead_letters (handler, topic, partition, epoch, position)
    WHERE position IS NOT NULL;
"""


def upgrade() -> None:
    for statement in STATEMENTS.split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("a ledger is never taken back: restore a backup")
