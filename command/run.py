"""`xiapai run api|relay|worker SERVICE...`: one process, as compose starts it and as `up` does."""

from collections.abc import Sequence

import typer

from chassis.process import Role
from chassis.process import run as run_process
from command.services import SERVICES
from deploy.demo.logins import people


def run(role: Role, names: Sequence[str]) -> None:
    """Be that process for the named services (none named: for all)."""
    known = {service.name: service for service in SERVICES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise typer.BadParameter(f"没有服务 {', '.join(unknown)} no such service; known: {', '.join(known)}")
    chosen = [known[name] for name in names] or list(SERVICES)
    run_process(role, chosen, documented=SERVICES, people=people())
