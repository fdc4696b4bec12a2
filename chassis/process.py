"""How a process of ours lives: started by role, stopped by SIGTERM, alive while it makes progress."""

import asyncio
import errno
import gc
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

import uvicorn
import uvloop
from fastapi import FastAPI

from chassis.health import Check, mount_health
from chassis.identity.demo_people import DemoPerson
from chassis.metrics import Metrics
from chassis.plainly import plainly
from chassis.role import ProcessRole
from chassis.service import Service
from chassis.settings import Settings, SettingsMistake, load_settings
from chassis.telemetry import configure_telemetry
from ledger.ending import ended

if TYPE_CHECKING:
    from chassis.work_process import Running


def run(
    role: ProcessRole,
    services: Sequence[Service],
    *,
    documented: Sequence[Service] = (),
    people: Sequence[DemoPerson] = (),
    settings: Settings | None = None,
) -> None:
    """Be that process for these services until told to stop. Exits with 1 where it cannot, having said why.

    ``documented`` are the services that ``/docs`` describes though another process answers; ``people`` are who can log
    in at the development issuer.
    """
    try:
        settings = settings or load_settings()
        configure_telemetry(settings, f"{role}-{'-'.join(service.name for service in services)}")
        # Each role loads only what it needs: an API that carried Faust along would start a second later.
        if role is ProcessRole.API:
            from chassis.api_process import api_app

            serving = _serve(api_app(services, settings, documented, people), settings)
        else:
            from chassis.work_process import open_relays, open_workers

            opened = open_relays if role is ProcessRole.RELAY else open_workers
            serving = _work(opened(services, settings), settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serving)
    except Exception as error:
        said = plainly(error)
        if said is None:
            raise
        print(said, file=sys.stderr)
        raise SystemExit(1) from None


def settle(*, prompt: bool = False) -> None:
    """What is loaded by now stays, so the collector need not look through it again, nor so often: records, events and rows
    come by the thousand and make no circles. It took a third of the CPU of a reader, half of an import's (7.2 s against
    3.6 s for 20,000 rows), and 139 ms of an API at once, while everybody waited. A process that must be ``prompt`` looks
    through fewer at once: 5 ms where it was 10 to 30, at a twentieth more CPU where rows come by the thousand."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*((10_000, 50, 100) if prompt else (50_000, 20, 100)))


def main(service: Service) -> None:
    """``python -m services.registry api|relay|worker``."""
    roles = [role.value for role in ProcessRole]
    if len(sys.argv) != 2 or sys.argv[1] not in roles:
        print(f"usage: python -m services.{service.name} {'|'.join(roles)}", file=sys.stderr)
        raise SystemExit(2)
    run(ProcessRole(sys.argv[1]), [service])


def _config(app: FastAPI, settings: Settings, lifespan: Literal["auto", "off"] = "auto") -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        http="httptools",
        server_header=False,
        proxy_headers=True,
        timeout_graceful_shutdown=5,
        lifespan=lifespan,
    )


async def _serve(app: FastAPI, settings: Settings) -> None:
    """Open what the application needs, then answer until told to stop. Opened here and not by uvicorn, which would turn
    a missing database into a trace in the log."""
    _see_that_free(settings)
    server = _Quiet(_config(app, settings, lifespan="off"))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.handle_exit, number, None)
    async with app.router.lifespan_context(app):
        settle(prompt=True)
        await server.serve()


def _see_that_free(settings: Settings) -> None:
    with socket.socket(socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.http_host, settings.http_port))
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            remedy = "XIAPAI_HTTP_PORT to a free port" if in_use else "XIAPAI_HTTP_HOST to an address of this machine"
            raise SettingsMistake(
                f"{settings.http_host}:{settings.http_port} cannot be listened on ({error.strerror}); set {remedy}"
            ) from None


async def _work(running: "Running", settings: Settings) -> None:
    """Run everything until SIGTERM; the health server goes along. A task that fails ends the process, so that whoever
    supervises it starts it anew: half a worker would look alive."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running as work:
        settle()
        server = _Quiet(_config(_health_app(work.live, work.ready, work.metrics), settings))
        tasks = {asyncio.ensure_future(start()) for start in work.tasks.values()}
        health = asyncio.ensure_future(server.serve())
        told = asyncio.create_task(stop.wait(), name="told to stop")
        done, _ = await asyncio.wait({told, health, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await ended({told, *tasks})
        await asyncio.wait({health})
        for task in done - {told}:
            task.result()


class _Quiet(uvicorn.Server):
    """A server beside our own work, which handles the signals."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def _health_app(live: Mapping[str, Check], ready: Mapping[str, Check], metrics: Metrics) -> FastAPI:
    app = FastAPI(openapi_url=None)
    mount_health(app, live, ready)
    app.add_route("/metrics", metrics.endpoint)
    return app
