"""A PostgreSQL that takes connections over TLS alone: Debian's, since the wheel's is built without OpenSSL."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded import process
from deploy.embedded.account import account_for
from tests.infra.servers import temporary_folder

USER, PASSWORD = "xiapai", "only-for-tests"


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not found:
        pytest.skip("needs a PostgreSQL that speaks TLS: Debian's is not here (apt-get install postgresql)")
    return found[-1].parent


@contextmanager
def tls_postgres(certificate: Path, key: Path) -> Iterator[int]:
    """The port on 127.0.0.1 and 127.0.0.2 of a server with this certificate. Skips the test where there is none to be had."""
    programs = _programs()
    with temporary_folder("tls") as folder:
        data, account = folder / "data", account_for(folder / "data")
        ours = {"tls.pem": certificate.read_text(), "tls-key.pem": key.read_text(), "password": PASSWORD}
        for name, text in ours.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        data.mkdir(mode=0o700)
        if account.switch:
            for path in (data, *(folder / name for name in ours)):
                os.chown(path, account.uid, account.gid)
        who: dict[str, Any] = {"user": account.uid, "group": account.gid, "extra_groups": []} if account.switch else {}
        made: list[str | Path] = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]
        subprocess.run([*made, f"--pwfile={folder / 'password'}"], check=True, capture_output=True, cwd=data, **who)
        (data / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\n")
        settings = {
            "listen_addresses": "127.0.0.1,127.0.0.2",
            "unix_socket_directories": "",
            "fsync": "off",
            "ssl": "on",
        }
        settings |= {"ssl_cert_file": str(folder / "tls.pem"), "ssl_key_file": str(folder / "tls-key.pem")}
        port = process.free_port()
        server = process.spawn(
            [programs / "postgres", "-D", data, "-p", str(port), *(f"--{k}={v}" for k, v in settings.items())],
            log=folder / "server.log",
            cwd=data,
            env={"LANG": "C.UTF-8"},
            uid=account.uid if account.switch else None,
            gid=account.gid if account.switch else None,
        )
        try:
            # It listens before it is ready.
            ready = "ready to accept connections"
            up = process.wait_until(lambda: ready in (folder / "server.log").read_text(), server, seconds=30.0)
            assert up, process.tail(folder / "server.log")
            yield port
        finally:
            process.stop(server, [(signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0)])
