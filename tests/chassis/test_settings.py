"""Settings come from one place, and each mistake in them is told in a sentence with its remedy."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import chassis.settings
from chassis.settings import Settings, load_settings, settings_table
from chassis.settings_sources import SettingsMistake
from deploy.outside.certificates import make

Env = Callable[..., None]
SECRET = "geheim-7731"


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Env:
    for name in list(os.environ):
        if name.startswith("XIAPAI_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XIAPAI_SECRETS", str(tmp_path / "secrets"))

    def put(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"XIAPAI_{name}", value)

    return put


def mistake(**overrides: str) -> str:
    with pytest.raises(SettingsMistake) as told:
        load_settings(**overrides)
    assert SECRET not in str(told.value) and told.value.__cause__ is None
    return str(told.value)


def test_nothing_said_is_production(env: Env) -> None:
    assert load_settings().environment == "production"


def test_a_setting_comes_from_the_environment_a_named_file_or_the_secrets_folder(env: Env, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "xiapai_kafka_user").write_text("from-folder\n")
    (folder / "xiapai_kafka_password").write_text(SECRET + "\n")
    named = tmp_path / "named"
    named.write_text("postgresql://u:p@db\r\n")
    env(POSTGRES_FILE=str(named), KAFKA_BOOTSTRAP="broker:9092")
    settings = load_settings()
    assert settings.kafka_user == "from-folder" and settings.kafka_bootstrap == "broker:9092"
    assert settings.kafka_password is not None and settings.kafka_password.get_secret_value() == SECRET
    assert settings.database("registry").host == "db"
    env(KAFKA_USER="from-environment")
    assert load_settings().kafka_user == "from-environment"
    assert load_settings(kafka_user="said").kafka_user == "said"


def test_a_secret_file_that_cannot_be_read_is_told(env: Env, tmp_path: Path) -> None:
    env(POSTGRES_FILE=str(tmp_path / "none"))
    assert "cannot be read (FileNotFoundError); check the path" in mistake()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HTTP_PORT", "http", "XIAPAI_HTTP_PORT is wrong"),
        ("HTTP_PORT", "65536", "less than or equal to 65535"),
        ("HTTP_PORT", "tcp://10.0.0.1:80", "XIAPAI_HTTP_PORT is wrong"),
        ("ENVIRONMENT", "test", "'development' or 'production'"),
        ("KAFKA_SECURITY", "TLS", "'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ("KAFKA_IDEMPOTENT", "perhaps", "XIAPAI_KAFKA_IDEMPOTENT is wrong"),
        ("TOPIC_PREFIX", "trial", "XIAPAI_TOPIC_PREFIX is wrong"),
        ("CLOCK_STARTS", "tomorrow", "XIAPAI_CLOCK_STARTS is wrong"),
        ("CLOCK_STARTS", "2026-07-01T09:00:00", "no time zone; write it as"),
        ("PUBLIC_URL", "xiapai.example.cn", "write scheme and host"),
        ("PUBLIC_URL", "https://xiapai.example.cn/desk", "write scheme and host"),
        ("PUBLIC_URL", "http://xiapai.example.cn", "not https in production"),
        ("PUBLIC_URL", "https://[desk", "write scheme and host"),
        ("OIDC_ISSUER", "login.example.cn", "write scheme and host"),
        ("OIDC_DISCOVERY", "https://", "write scheme and host"),
        ("OIDC_DISCOVERY", "http://login.example.cn/x", "use the identity provider's https address"),
        ("OTLP_ENDPOINT", "collector:4318", "write scheme and host"),
        ("KAFKA_BOOTSTRAP", "kafka", "write host:port"),
        ("KAFKA_BOOTSTRAP", "kafka:9092,", "write host:port"),
        ("KAFKA_BOOTSTRAP", "http://kafka:9092", "without a scheme"),
        ("POSTGRES_TLS", "on", "'disable', 'prefer', 'require' or 'verify-full'"),
        ("OIDC_ISSUER", "http://login.example.cn", "use the identity provider's https address"),
        ("CLOCK", "simulated", "simulated in production; set it to real"),
        ("KAFKA_SECURITY", "SASL_SSL", "set XIAPAI_KAFKA_USER and XIAPAI_KAFKA_PASSWORD"),
        ("KAFKA_BOOTSTRP", "b:9092", "write XIAPAI_KAFKA_BOOTSTRAP, or remove it"),
        ("POSTGRESS", SECRET, "write XIAPAI_POSTGRES, or remove it"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_remedy(env: Env, name: str, value: str, said: str) -> None:
    env(**{name: value})
    text = mistake()
    assert said in text and len(text.splitlines()) == 1 and ";" in text
    assert value in ("test", "TLS", "tomorrow") or name != "HTTP_PORT" or value not in text


@pytest.mark.parametrize(
    ("name", "switch"), [("KAFKA_CA_FILE", "KAFKA_SECURITY"), ("POSTGRES_CA_FILE", "POSTGRES_TLS")]
)
def test_an_authority_that_cannot_be_used_or_checks_nothing_is_told(
    env: Env, tmp_path: Path, name: str, switch: str
) -> None:
    env(**{name: str(tmp_path / "none")})
    assert f"XIAPAI_{name} names {tmp_path}/none, which cannot be read (FileNotFoundError)" in mistake()
    (tmp_path / "ca.pem").write_text("no certificate")
    env(**{name: str(tmp_path / "ca.pem")})
    assert "which holds no certificate; name a PEM file" in mistake()
    make(tmp_path, {})
    assert f"but XIAPAI_{switch} is" in mistake() and len(mistake().splitlines()) == 1
    env(**{switch: "SSL" if name.startswith("KAFKA") else "verify-full"})
    load_settings()


def test_all_mistakes_are_told_at_once(env: Env) -> None:
    env(HTTP_PORT="x", LOG_LEVEL="loud", KAFKA_BOOTSTRP="b:1")
    assert len(mistake().splitlines()) == 3


def test_a_database_is_named_by_its_service_unless_it_has_its_own_address(env: Env) -> None:
    env(POSTGRES=f"postgres://u:{SECRET}@db:5433/ignored", DATABASE_NOTIFY="postgresql://n@other/mine")
    env(POSTGRES_PASSWORD="p", POSTGRES_READER="postgresql://reader:r@db:5433")
    settings = load_settings()
    registry, notify = settings.database("registry"), settings.database("notify")
    assert (registry.drivername, registry.database, registry.password) == ("postgresql+asyncpg", "registry", SECRET)
    assert (notify.database, notify.host, notify.password) == ("mine", "other", "p")
    assert (
        settings.database("notify", reader=True)
        .render_as_string(hide_password=False)
        .endswith("reader:r@db:5433/notify")
    )
    assert SECRET not in repr(settings) + str(settings) + str(registry)


def test_tls_is_set_in_one_place_and_not_in_the_address(env: Env) -> None:
    with pytest.raises(
        SettingsMistake, match="XIAPAI_POSTGRES holds the parameters sslmode; take them out, TLS is set by"
    ):
        load_settings(postgres=f"postgresql://u:{SECRET}@db?sslmode=require").database("registry")
    assert load_settings(postgres="postgresql:///?host=/run/postgresql").database("registry").query["host"]


def test_a_missing_or_malformed_database_address_is_told(env: Env) -> None:
    with pytest.raises(SettingsMistake, match=r"XIAPAI_POSTGRES is not set; .* XIAPAI_DATABASE_REGISTRY"):
        load_settings().database("registry")
    with pytest.raises(SettingsMistake, match="XIAPAI_POSTGRES_READER is not set"):
        load_settings().database("registry", reader=True)
    for wrong in (f"mysql://u:{SECRET}@db", SECRET, f"postgresql://u:{SECRET}@", f"postgresql://u:{SECRET}@db:port"):
        with pytest.raises(SettingsMistake, match="not a PostgreSQL address; write") as told:
            load_settings(postgres=wrong).database("registry")
        assert SECRET not in str(told.value)


def test_what_a_process_needs_is_asked_for_by_name(env: Env, tmp_path: Path) -> None:
    with pytest.raises(SettingsMistake, match="XIAPAI_KAFKA_BOOTSTRAP, XIAPAI_OIDC_ISSUER must be set"):
        load_settings().require("kafka_bootstrap", "oidc_issuer", "http_port")
    with pytest.raises(SettingsMistake, match="XIAPAI_KEK_FILE must be set"):
        load_settings(data=tmp_path).key_file("kek_file")
    development = load_settings(environment="development", data=tmp_path)
    assert development.key_file("kek_file") == tmp_path / "kek"
    assert load_settings(kek_file=tmp_path / "x").key_file("kek_file") == tmp_path / "x"


def test_an_empty_value_is_no_value(env: Env) -> None:
    env(OTLP_ENDPOINT="", KAFKA_PASSWORD="", KEK_FILE="")
    settings = load_settings()
    assert (settings.otlp_endpoint, settings.kafka_password, settings.kek_file) == (None, None, None)


def test_the_documented_table_is_the_generated_one() -> None:
    committed = Path(chassis.settings.__file__).with_name("SETTINGS.md").read_text("utf-8")
    assert committed == settings_table()
    assert all(field.description for field in Settings.model_fields.values())
