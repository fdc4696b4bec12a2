"""`xiapai run api|relay|worker SERVICE...`: one process, as compose starts it and as `up` does."""

from collections.abc import Sequence

from chassis.process import run as run_process
from chassis.role import ProcessRole
from command.services import services


def run(role: ProcessRole, names: Sequence[str]) -> None:
    """Be that process for the named services (none named: for all). The one that has the desk describes all of them
    and knows the demo's people.

    Raises:
        Unknown: no such service.
    """
    chosen = services(names)
    if role is ProcessRole.API and any(one.desk for one in chosen):
        from deploy.demo.logins import people

        run_process(role, chosen, documented=services(), people=people())
    else:
        run_process(role, chosen)
