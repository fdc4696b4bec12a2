"""The one way to configure a process: the environment (`XIAPAI_...`) and secret files.

Every setting X may come from the variable `XIAPAI_X`, from a file named by `XIAPAI_X_FILE`, or from a file `xiapai_x` in
the folder named by `XIAPAI_SECRETS` (default `/run/secrets`); the first that is there counts. `SETTINGS.md` beside this
file is generated: `python -m chassis.settings`.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from chassis.settings_checks import contradictions
from chassis.settings_sources import PREFIX, SecretFiles, checked, variable
from chassis.settings_sources import SettingsMistake as SettingsMistake

SERVICES = ("registry", "reporting", "assessment", "notify", "projection")
"""Services with a database of their own; its name is the service's."""

_Empty = BeforeValidator(lambda value: None if value == "" else value)
_Secret = Annotated[SecretStr | None, _Empty]
_Text = Annotated[str | None, _Empty]
_File = Annotated[Path | None, _Empty]


class Settings(BaseSettings):
    """What a process is told at its start. Passwords never show: not in logs, not in `repr`, not in mistakes."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True, case_sensitive=False
    )

    environment: Literal["development", "production"] = Field(
        default="production", description="`development` allows the development issuer and keys made on the spot"
    )
    data: Annotated[_File, Field(description="data folder of the embedded start; keys made there have mode 0600")] = (
        None
    )

    postgres: Annotated[
        _Secret, Field(description="one PostgreSQL for all, `postgresql://user:password@host:5432`; databases named by service")
    ] = None  # fmt: skip
    postgres_password: Annotated[_Secret, Field(description="the password, when it does not stand in the address")] = (
        None
    )
    postgres_reader: Annotated[
        _Secret, Field(description="the same with a read-only role, for rebuild --from-ledger and audit")
    ] = None
    postgres_reader_password: Annotated[
        _Secret, Field(description="that role's password, when it does not stand in the address")
    ] = None
    postgres_tls: Literal["disable", "prefer", "require", "verify-full"] = Field(
        default="prefer",
        description="TLS to PostgreSQL: `verify-full` also checks the authority and the host's name; `prefer`: where the server has it",
    )
    postgres_ca_file: Annotated[
        _File, Field(description="certificate authority (PEM), for `verify-full`; default the system's")
    ] = None
    database_registry: Annotated[_Secret, Field(description="registry's own database, instead of `postgres`")] = None
    database_reporting: Annotated[_Secret, Field(description="reporting's own database")] = None
    database_assessment: Annotated[_Secret, Field(description="assessment's own database")] = None
    database_notify: Annotated[_Secret, Field(description="notify's own database")] = None
    database_projection: Annotated[_Secret, Field(description="projection's own database (read models)")] = None
    database_pool: int = Field(default=20, ge=1, le=200, description="most connections of one process to one database")

    kafka_bootstrap: Annotated[_Text, Field(description="brokers, `host:9092,host:9092`")] = None
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="security protocol"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="SASL mechanism, for SASL_*"
    )
    kafka_user: Annotated[_Text, Field(description="SASL user")] = None
    kafka_password: Annotated[_Secret, Field(description="SASL password")] = None
    kafka_ca_file: Annotated[
        _File, Field(description="certificate authority (PEM), for *SSL; default the system's")
    ] = None
    kafka_idempotent: bool = Field(
        default=True, description="idempotent producer; false for the embedded broker, which has none"
    )
    kafka_single_record_batches: bool = Field(
        default=False,
        description="batches of one record; true for the embedded broker, whose end offsets are wrong after larger ones",
    )
    kafka_replication: int = Field(default=1, ge=1, le=10, description="replication factor of topics that are made")
    topic_prefix: str = Field(
        default="",
        pattern=r"^([a-z0-9][a-z0-9-]*\.)?$",
        description="before every topic's name, ends with a dot; for trials side by side",
    )

    http_host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on")
    http_port: int = Field(default=8080, ge=0, le=65535, description="port to listen on")
    public_url: str = Field(
        default="http://127.0.0.1:8080",
        description="how browsers reach the desk; scheme, host and port, without a path",
    )

    oidc_issuer: Annotated[_Text, Field(description="issuer exactly as in its tokens; `/.well-known/openid-configuration` is read below it")] = None  # fmt: skip
    oidc_discovery: Annotated[_Text, Field(description="discovery address, when it is not below the issuer")] = None
    oidc_audience: str = Field(default="xiapai", min_length=1, description="audience that access tokens must name")
    oidc_client_id: str = Field(default="xiapai-desk", min_length=1, description="the desk's client id")
    oidc_client_secret: Annotated[_Secret, Field(description="the desk's client secret; none for a public client")] = (
        None
    )
    claim_role: str = Field(
        default="roles", min_length=1, description="claim with the role; dots lead into objects (`realm_access.roles`)"
    )
    claim_unit: str = Field(default="unit", min_length=1, description="claim with the unit")
    claim_categories: str = Field(
        default="categories", min_length=1, description="claim with a lead department's categories"
    )
    claim_person: str = Field(default="person", min_length=1, description="claim with the person's identifier")
    session_hours: float = Field(default=8, gt=0, le=24, description="hours until a login at the desk lapses")
    session_key_file: Annotated[
        _File, Field(description="32 bytes in base64url: seals session cookies and paging cursors")
    ] = None
    kek_file: Annotated[
        _File, Field(description="32 bytes in base64url: wraps the keys of persons; keep a backup apart")
    ] = None

    clock: Literal["real", "simulated"] = Field(default="real", description="`simulated` stands still until moved")
    clock_starts: datetime = Field(
        default=datetime.fromisoformat("2026-07-01T09:00:00+08:00"), description="where a simulated clock begins"
    )

    report_rules: Annotated[
        _File, Field(description="how often a report is owed and by when, instead of the committed rules (TOML)")
    ] = None
    baseline_rules: Annotated[
        _File, Field(description="by when an ability baseline is due, instead of the committed rules (TOML)")
    ] = None
    reminder_rules: Annotated[
        _File,
        Field(description="how long after its day a reminder is still sent, instead of the committed rule (TOML)"),
    ] = None
    webhook_url: Annotated[_Secret, Field(description="where reminders are delivered, `https://host/path`; secret, for many receivers put a key into it; none: they stay to be sent")] = None  # fmt: skip
    webhook_secret: Annotated[
        _Secret, Field(description="signs what is delivered there: `X-Xiapai-Signature: sha256=<HMAC of the body>`")
    ] = None
    webhook_attempts: int = Field(
        default=8, ge=1, le=50, description="attempts to deliver a reminder before it is given up"
    )

    category_rules: Annotated[
        _File, Field(description="hosts that each category allows, by day, instead of the committed table (TOML)")
    ] = None
    import_retention_days: int = Field(
        default=30, ge=1, le=3650, description="days that an uploaded workbook is kept, for its back-copy"
    )

    backups: Annotated[
        _File, Field(description="folder in which backups lie; `backup` writes there, `doctor` tells their age")
    ] = None
    backup_keys: Annotated[
        _File, Field(description="folder for the keys of persons in backups, on another medium than `backups`")
    ] = None
    backup_keys_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="days after which a backup's keys are deleted by the next one, and refused by `restore`",
    )
    backup_key_file: Annotated[
        _File, Field(description="32 bytes in base64url: signs backups (Ed25519); keep its public half apart")
    ] = None

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="least level that is logged"
    )
    log_format: Literal["json", "console"] = Field(default="json", description="`console` is for people")
    otlp_endpoint: Annotated[_Text, Field(description="OpenTelemetry collector (OTLP over HTTP), `http://host:4318`; none: no traces")] = None  # fmt: skip

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFiles(settings_cls)

    @property
    def development(self) -> bool:
        return self.environment == "development"

    def database(self, service: str, *, reader: bool = False) -> URL:
        """Where a service's database is, for SQLAlchemy with asyncpg. SettingsMistake when it is not said."""
        own: SecretStr | None = None if reader else getattr(self, f"database_{service}")
        base = own or (self.postgres_reader if reader else self.postgres)
        name = variable("postgres_reader" if reader else f"database_{service}" if own else "postgres")
        if base is None:
            other = "" if reader else f", or {variable(f'database_{service}')} for this service alone"
            raise SettingsMistake(f"{name} is not set; set it to postgresql://user:password@host:5432{other}")
        try:
            url = make_url(base.get_secret_value())
        except (ArgumentError, ValueError):
            url = None
        if url is None or url.get_backend_name() not in ("postgresql", "postgres") or (not url.host and not url.query):
            raise SettingsMistake(f"{name} is not a PostgreSQL address; write postgresql://user:password@host:5432")
        if foreign := sorted(set(url.query) - {"host", "port"}):
            raise SettingsMistake(
                f"{name} holds the parameters {', '.join(foreign)}; take them out, TLS is set by XIAPAI_POSTGRES_TLS and XIAPAI_POSTGRES_CA_FILE"
            )
        password = self.postgres_reader_password if reader else self.postgres_password
        if url.password is None and password is not None:
            url = url.set(password=password.get_secret_value())
        if self.postgres_tls != "prefer":
            url = url.update_query_dict({"sslmode": self.postgres_tls})
            if self.postgres_ca_file is not None:
                url = url.update_query_dict({"sslrootcert": str(self.postgres_ca_file)})
        return url.set(drivername="postgresql+asyncpg", database=(url.database if own else None) or service)

    def require(self, *names: str) -> None:
        """SettingsMistake naming every one of these settings that is not set."""
        missing = [variable(name) for name in names if getattr(self, name) is None]
        if missing:
            raise SettingsMistake(f"{', '.join(missing)} must be set for this process; see chassis/SETTINGS.md")

    def key_file(self, name: Literal["kek_file", "session_key_file", "backup_key_file"]) -> Path:
        """The named key file; in development, without one, a file of the data folder (made there by who loads it)."""
        given: Path | None = getattr(self, name)
        if given is not None:
            return given
        if self.development and self.data is not None:
            return self.data / name.removesuffix("_file").replace("_", "-")
        raise SettingsMistake(f"{variable(name)} must be set; make a file of 32 random bytes in base64url and name it")


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment; `overrides` win. SettingsMistake tells every mistake, one sentence each."""
    settings = checked(Settings, overrides)
    found = list(contradictions(settings))
    if found:
        raise SettingsMistake("\n".join(found))
    return settings


def settings_table() -> str:
    """The table of all settings, in Markdown."""
    lines = [
        "# Settings",
        "",
        "Generated by `python -m chassis.settings`. Each may also come from a file: `XIAPAI_X_FILE` names it, or",
        "it is called `xiapai_x` in the folder `XIAPAI_SECRETS` (default `/run/secrets`).",
        "",
        "| variable | values | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        shown = "" if field.default in (None, "") else f"`{field.default}`"
        lines.append(f"| `{variable(name)}` | {_values(field.annotation)} | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


def _values(annotation: object) -> str:
    text = str(annotation)
    for mark, saying in (("SecretStr", "secret"), ("Path", "file"), ("datetime", "moment"), ("bool", "true, false")):
        if mark in text:
            return saying
    if "Literal" in text:
        return ", ".join(str(value) for value in getattr(annotation, "__args__", ()))
    return "whole number" if "int" in text else "number" if "float" in text else "text"


if __name__ == "__main__":
    print(settings_table(), end="")
