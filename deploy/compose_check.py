#!/usr/bin/env python3
"""Takes the compose file as an operator would: up from nothing, a workbook in, processes killed, scaled, stopped, down.

`deploy/compose_check.py [--only PART]... [--keep] [--project NAME]`: needs a container engine with its compose plugin, and pip for
`chaos`; runs the checkout that it stands in, under a project name, image tags and a port of its own. The parts: `day` (kills, scale,
fail-over, stop), `backup` (and restore), `upgrade` (by images), `chaos`, `disks` (full ones). All take about fifteen minutes on two
cores. Exits 0 where all held; what it measured is printed. `--keep` leaves it running, to look at.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from deploy.compose import disks  # noqa: E402
from deploy.compose.office import FIGURES, Office  # noqa: E402
from deploy.compose.saving import saved_and_restored  # noqa: E402
from deploy.compose.stack import PROJECT, Stack, Wrong, eventually, took  # noqa: E402
from deploy.compose.storm import chaos  # noqa: E402
from deploy.compose.upgrade import upgraded  # noqa: E402

ONE_SHOT = {"secrets", "migrate", "topics"}
KILLED = ("registry-api", "registry-relay", "projection-worker", "gateway", "kafka", "postgres")
PARTS = ("day", "backup", "upgrade", "chaos", "disks")
FAIL_OVER_SECONDS = 15.0
RECOVERY_SECONDS = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; may be given several times")
    parser.add_argument("--keep", action="store_true", help="leave it running")
    parser.add_argument("--project", default=PROJECT, help="name of the containers and of the image's tag")
    given = parser.parse_args()
    keep, stack = given.keep, Stack(CHECKOUT, given.project)
    try:
        stack.remove()
        check(stack, given.only or PARTS)
    except (Wrong, subprocess.CalledProcessError) as wrong:
        print(f"compose: {wrong}", file=sys.stderr)
        stack.show_logs()
        return 1
    finally:
        if keep:
            print(f"compose: still running at {stack.url}; {stack.shown} down -v")
        else:
            stack.remove()
    print("compose: all held")
    return 0


def check(stack: Stack, parts: Sequence[str]) -> None:
    if set(parts) - {"disks"}:
        office = started(stack)
        if "day" in parts:
            day(stack, office)
        if "backup" in parts:
            saved_and_restored(stack, office)
        if "upgrade" in parts:
            upgraded(stack, office, CHECKOUT)
        # After these: its postings count in the figures, and what a restore and an upgrade left is worth breaking.
        if "chaos" in parts:
            chaos(stack, office)
    if "disks" in parts:
        stack.remove()
        stack.begin_anew(disks.FILE)
        disks.filled(stack, started(stack))


def started(stack: Stack) -> Office:
    """Up from nothing, with the demo district in it."""
    took("up from nothing, image built", lambda: stack.compose("up", "--build", "--wait"))
    token = stack.output("exec", "-T", "registry-api", "xiapai", "token", "--role", "office").strip()
    office = Office(stack.url, token)
    workbook_in(stack, office)
    return office


def day(stack: Stack, office: Office) -> None:
    contained(stack)
    one_address(office)
    office.log_in_and_look("1,086")
    for service in KILLED:
        killed(stack, office, service)
    killed_by_the_operator(stack, office)
    scaled_out(stack, office)
    for fault in ("kill", "pause", "disconnect"):
        relay_lost(stack, office, fault)
    stopped_and_back(stack, office)


def contained(stack: Stack) -> None:
    """Nothing runs as root, nothing can write its root, everything has a limit, the gateway alone has a port."""
    for service, state in stack.inspected().items():
        host = state["HostConfig"]
        if state["Config"]["User"].split(":")[0] in ("", "0", "root"):
            raise Wrong(f"{service} runs as root")
        if not host["ReadonlyRootfs"] or not host["Memory"] or not host["PidsLimit"] or host["CapDrop"] != ["ALL"]:
            raise Wrong(f"{service} is not contained: {host['ReadonlyRootfs']=} {host['Memory']=} {host['CapDrop']=}")
        if bool(host["PortBindings"]) != (service == "gateway"):
            raise Wrong(f"{service} publishes {host['PortBindings']}")
        if service in ONE_SHOT and state["State"]["ExitCode"] != 0:
            raise Wrong(f"{service} failed")
    print("     -  contained: no root, roots read-only, limits, one port")


def one_address(office: Office) -> None:
    """Every service answers below one address, described together; what is for the inside stays inside."""
    described = {path.split("/")[2] for path in office.get("/openapi.json")["paths"] if path.startswith("/api/")}
    missing = {"registry", "reporting", "assessment", "notify", "query"} - described
    if missing:
        raise Wrong(f"/docs does not describe {missing}")
    for path in ("/api/query/roster", "/api/reporting/reports", "/api/assessment/baselines", "/api/notify/reminders"):
        office.get(path)
    for path in ("/livez", "/readyz", "/metrics"):
        if office.status(path) != 404:
            raise Wrong(f"{path} can be seen from outside")
    print("     -  one address: every service described and answering, /metrics and health inside only")


def workbook_in(stack: Stack, office: Office) -> None:
    """The demo district's workbook through the gateway, the figures as its description says, the same again unchanged."""
    with tempfile.TemporaryDirectory() as folder:
        workbook = Path(folder) / "demo.xlsx"
        write = "python3 -P -m deploy.demo --out /tmp/demo.xlsx >/dev/null && cat /tmp/demo.xlsx"
        workbook.write_bytes(stack.run("exec", "-T", "registry-api", "sh", "-c", write).stdout)
        took("workbook imported and visible", lambda: office.import_workbook(workbook))
        figures = office.figures()
        if figures != FIGURES:
            raise Wrong(f"the figures are not those of the district: {figures}")
        position = office.position()
        took("the same workbook again", lambda: office.import_workbook(workbook))
        if office.position() != position:
            raise Wrong("the same workbook again has changed something")
    # The clock is real: whether reminders are due depends on the day, whether reports are scheduled does not.
    took("every arrival has its first report", lambda: eventually(office.has_reports, 60.0, "no report was scheduled"))


def killed(stack: Stack, office: Office, service: str) -> None:
    """The process dies; its container comes back by itself, and what is commanded meanwhile is taken and becomes visible."""
    before = stack.restarts(service)
    stack.kill_process(service)
    took(f"kill -9 in {service}: written and seen", lambda: office.write_and_see(RECOVERY_SECONDS))
    eventually(lambda: stack.restarts(service) > before, RECOVERY_SECONDS, f"{service} was not started again")
    eventually(lambda: stack.healthy(service), RECOVERY_SECONDS, f"{service} did not become healthy again")


def killed_by_the_operator(stack: Stack, office: Office) -> None:
    """Killed containers stay down, as the operator meant; `up` brings them back."""
    stack.compose("kill", "-s", "KILL", *KILLED)
    took("six containers killed: up again", lambda: stack.compose("up", "--wait"))
    took("  then written and seen", lambda: office.write_and_see(RECOVERY_SECONDS))


def scaled_out(stack: Stack, office: Office) -> None:
    scales = ("registry-api=2", "projection-worker=2", "registry-relay=2")
    options = [word for scale in scales for word in ("--scale", scale)]
    took("scaled out", lambda: stack.compose("up", "--wait", *options))
    took("  then written and seen", lambda: office.write_and_see(RECOVERY_SECONDS))
    victim = stack.containers("registry-api")[0]
    stack.engine("kill", "-s", "KILL", victim)
    took("one of two APIs killed: written and seen", lambda: office.write_and_see(RECOVERY_SECONDS))
    stack.engine("start", victim)
    victim = stack.containers("projection-worker")[0]
    stack.engine("kill", "-s", "KILL", victim)
    took("one of two workers killed: written and seen", lambda: office.write_and_see(RECOVERY_SECONDS))
    stack.engine("start", victim)


def relay_lost(stack: Stack, office: Office, fault: str) -> None:
    """The relay that leads is killed, frozen or cut off; the other publishes within fifteen seconds."""
    eventually(lambda: len(stack.relays()) == 2, RECOVERY_SECONDS, "there are not two relays")
    leader = stack.leader()
    network = ("network", fault, stack.network, leader)
    stack.engine(*(network if fault == "disconnect" else (fault, leader)))
    seconds = took(f"relay {fault}: written and seen", lambda: office.write_and_see(RECOVERY_SECONDS))
    if stack.leader() == leader:
        raise Wrong("the same relay leads")
    if seconds > FAIL_OVER_SECONDS:
        raise Wrong(f"the relay's fail-over took {seconds:.1f} s, more than {FAIL_OVER_SECONDS:.0f}")
    match fault:
        case "pause":
            stack.engine("unpause", leader)
        case "disconnect":
            stack.engine("network", "connect", "--alias", "registry-relay", stack.network, leader)
        case _:
            stack.engine("start", leader)


def stopped_and_back(stack: Stack, office: Office) -> None:
    """Everything stops within its grace, by itself; and all is there again afterwards."""
    took("stopped", lambda: stack.compose("stop"))
    for service, state in stack.inspected().items():
        if state["State"]["ExitCode"] not in (0, 143):
            raise Wrong(f"{service} ended with {state['State']['ExitCode']}")
    took("up again", lambda: stack.compose("up", "--wait"))
    if office.figures() != FIGURES:
        raise Wrong(f"the figures changed: {office.figures()}")
    stack.sound()


if __name__ == "__main__":
    sys.exit(main())
