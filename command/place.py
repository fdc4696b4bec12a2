"""Which installation a command speaks to: the one that runs from a data folder, or one named by the environment."""

import json
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from chassis.identity.principal import Role
from chassis.settings import Settings, load_settings
from command.mistakes import NotRunning

CHECKOUT = Path(__file__).resolve().parent.parent

DataOption = Annotated[
    Path,
    typer.Option(
        "--data", envvar="XIAPAI_DATA", help="本机数据目录 data folder of the one-machine start", metavar="DIR"
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="XIAPAI_URL", help="其他安装的地址,凭 XIAPAI_TOKEN 访问 address of any other installation"
    ),
]
DEFAULT_DATA = CHECKOUT / ".xiapai"


def environment_file(data: Path) -> Path:
    """Where `up` leaves the settings of its processes (mode 0600: passwords stand in it)."""
    return data / "environment.json"


def running_file(data: Path) -> Path:
    """Where `up` says that it runs, and at which address."""
    return data / "running.json"


def settings_of(data: Path) -> Settings:
    """The settings that `up` left in the data folder; those of the environment count before them.

    Raises:
        NotRunning: neither the folder nor the environment tells of an installation.
    """
    kept = environment_file(data)
    if not kept.is_file() and not any(name.startswith(("XIAPAI_POSTGRES", "XIAPAI_DATABASE")) for name in os.environ):
        raise _nothing_at(data)
    if kept.is_file():
        for name, value in json.loads(kept.read_text()).items():
            os.environ.setdefault(name, value)
    return load_settings()


@dataclass(frozen=True, slots=True)
class Address:
    """Where an API answers, and the token to show there."""

    url: str
    token: str

    @property
    def client_options(self) -> dict[str, Any]:
        """What a client of httpx needs to ask there. Ours answers on the loopback, so no proxy of the environment is used
        there; an authority of one's own is trusted where SSL_CERT_FILE names it."""
        authority = os.environ.get("SSL_CERT_FILE")
        return {
            "base_url": self.url,
            "headers": {"Authorization": f"Bearer {self.token}"},
            "trust_env": "127.0.0.1" not in self.url,
            "verify": ssl.create_default_context(cafile=authority) if authority else True,
        }


def find(data: Path, url: str | None, role: Role = Role.OFFICE) -> Address:
    """The API to speak to: ``url`` with XIAPAI_TOKEN, else the one that runs from ``data`` with a token of our own.

    Raises:
        NotRunning: neither is there.
    """
    token = os.environ.get("XIAPAI_TOKEN")
    if url is not None:
        if not token:
            raise NotRunning(
                "--url 需要令牌:请在环境变量 XIAPAI_TOKEN 中给出。--url needs a token: set it in XIAPAI_TOKEN."
            )
        return Address(url.rstrip("/"), token)
    try:
        running = json.loads(running_file(data).read_text())
        os.kill(int(running["pid"]), 0)
    except (OSError, ValueError, KeyError):
        raise _nothing_at(data) from None
    from chassis.identity.development import mint

    return Address(running["url"], token or mint(settings_of(data), role))


def _nothing_at(data: Path) -> NotRunning:
    return NotRunning(
        f"{data} 没有正在运行的系统:请先运行 ./xiapai up,或用 --url 指明地址。"
        f"Nothing runs from {data}: start it with ./xiapai up, or name an address with --url."
    )
