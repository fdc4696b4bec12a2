"""What an operator may say about the webhook."""

from pathlib import Path

import pytest

from chassis.settings import Settings, load_settings
from chassis.settings_sources import SettingsMistake
from services.notify.__main__ import SERVICE
from tests.support.bench import bench


def said(url: str, **more: str) -> Settings:
    return load_settings(environment="development", webhook_url=url, **more)


@pytest.mark.parametrize("url", ["https://hook.example.cn/in?key=1", "http://127.0.0.1:9/", "http://[::1]:9/x"])
def test_an_http_address_is_taken_and_never_shown(url: str) -> None:
    settings = said(url, webhook_secret="s3cret")
    assert settings.webhook_url is not None and settings.webhook_url.get_secret_value() == url
    assert url not in repr(settings) and "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "hook.example.cn",
        "ftp://a/b",
        "https://u:p@a/",
        "http://a:99999/",
        "http://[x/",
    ],
)
def test_anything_else_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsMistake) as mistake:
        said(url)
    assert "XIAPAI_WEBHOOK_URL" in str(mistake.value) and url not in str(mistake.value)


def test_an_address_needs_a_host() -> None:
    with pytest.raises(SettingsMistake, match="XIAPAI_WEBHOOK_URL"):
        said("https://")


def test_in_production_a_webhook_needs_a_secret() -> None:
    with pytest.raises(SettingsMistake, match="XIAPAI_WEBHOOK_SECRET"):
        load_settings(environment="production", webhook_url="https://hook.example.cn/")
    load_settings(environment="production", webhook_url="https://hook.example.cn/", webhook_secret="s")


async def test_with_a_webhook_the_worker_has_a_sender(database: str, tmp_path: Path) -> None:
    async with bench(SERVICE, database, tmp_path, webhook_url="http://127.0.0.1:1/") as made:
        assert set(made.work.background) == {"sender", "lapsing"}
