"""The verbs of those who operate an installation: its tables and topics, read models, dead letters, backups, trials."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from command import place
from command.place import DEFAULT_DATA, DataOption, UrlOption
from command.terminal import console

app = typer.Typer()


@app.command()
def migrate(data: DataOption = DEFAULT_DATA) -> None:
    """升级数据库结构 bring every service's tables to this program's version."""
    place.settings_of(data)
    from command import operate

    asyncio.run(operate.migrate(console))


@app.command()
def topics(data: DataOption = DEFAULT_DATA) -> None:
    """建立 Kafka 主题 make the topics that are missing, and see that the others are as declared."""
    place.settings_of(data)
    from command import operate

    asyncio.run(operate.topics(console))


@app.command()
def rebuild(
    from_ledger: Annotated[bool, typer.Option("--from-ledger", help="直接读台账,不经 Kafka read the ledgers")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """重建读模型 build the read models anew beside the live ones, compare, and switch; reads go on."""
    from command import readmodels

    place.settings_of(data)
    raise typer.Exit(asyncio.run(readmodels.rebuild(console, from_ledger=from_ledger)))


@app.command()
def audit(data: DataOption = DEFAULT_DATA) -> None:
    """核对 compare roster, coverage and figures with an independent fold of the ledger. Exits 1 on a difference."""
    from command import readmodels

    place.settings_of(data)
    raise typer.Exit(asyncio.run(readmodels.audit(console)))


@app.command()
def republish(
    service: Annotated[str, typer.Argument(help="registry, reporting, assessment, notify")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """重新发布 publish a service's whole ledger again; readers pass over what they know."""
    place.settings_of(data)
    from command import operate

    asyncio.run(operate.republish(console, service))


dead_letters = typer.Typer(help="搁置的记录 records that could not be applied, parked with their reason.")
app.add_typer(dead_letters, name="dead-letters", no_args_is_help=True)
ServiceArgument = Annotated[str, typer.Argument(help="registry, reporting, assessment, notify, projection")]
HandlerOption = Annotated[str | None, typer.Option(help="只看这个处理者 only of this handler")]
StreamOption = Annotated[str | None, typer.Option(help="只看这个流 only of this stream")]


@dead_letters.command("list")
def dead_letters_list(data: DataOption = DEFAULT_DATA) -> None:
    """列出 list what is parked, by service, handler and stream."""
    from command import letters

    place.settings_of(data)
    asyncio.run(letters.show(console))


@dead_letters.command("replay")
def dead_letters_replay(
    service: ServiceArgument,
    handler: HandlerOption = None,
    stream: StreamOption = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """按原序重放 apply what is parked, in order. Exits 1 where something still fails."""
    from command import letters

    place.settings_of(data)
    raise typer.Exit(asyncio.run(letters.replay(console, service, handler, stream)))


@dead_letters.command("discard")
def dead_letters_discard(
    service: ServiceArgument,
    handler: Annotated[str, typer.Option(help="处理者 handler")],
    stream: StreamOption = None,
    letter: Annotated[list[int] | None, typer.Option("--id", help="单条编号 one letter (may be repeated)")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 do not ask")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """放弃 give up what is parked of a stream, or single letters; it is written to the log."""
    from command import letters

    place.settings_of(data)
    if not yes:
        typer.confirm("放弃这些搁置的记录?give up what is parked?", abort=True)
    asyncio.run(letters.discard(console, service, handler, stream, letter or []))


@app.command("verify-chain")
def verify_chain_(data: DataOption = DEFAULT_DATA) -> None:
    """校验台账 verify both hash chains of every ledger, and its tail against the topic. Exits 1 where one is broken."""
    place.settings_of(data)
    from command.verify import verify_chain

    raise typer.Exit(asyncio.run(verify_chain(console)))


@app.command()
def retention(
    apply: Annotated[bool, typer.Option("--apply", help="现在就删除到期的 delete now what is due")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """保存期 what is kept of uploaded workbooks and backups' keys, and until when. Both go by themselves; --apply: now.

    上传的工作簿保存 XIAPAI_IMPORT_RETENTION_DAYS 天;有人被删除后,此前上传的立即删除。按真实时间计。
    Workbooks are kept for XIAPAI_IMPORT_RETENTION_DAYS, and not beyond an erasure. Counted in real time.
    """
    place.settings_of(data)
    from command.retention import run

    asyncio.run(run(console, apply=apply))


BackupArgument = Annotated[
    Path | None, typer.Argument(help="备份目录 folder of backups (XIAPAI_BACKUPS)", metavar="DIR")
]
KeysOption = Annotated[
    Path | None,
    typer.Option(help="密钥目录,另一介质 folder for the keys, elsewhere (XIAPAI_BACKUP_KEYS)", metavar="DIR"),
]
PublicOption = Annotated[
    Path | None,
    typer.Option(help="签名公钥 public half of the key that signed (backup-key.pub)", metavar="FILE", exists=True),
]


@app.command()
def backup(
    to: BackupArgument = None,
    keys: KeysOption = None,
    check: Annotated[
        Path | None,
        typer.Option(help="只校验这份备份,不需数据库 only check this backup; needs no database", metavar="BACKUP"),
    ] = None,
    public: PublicOption = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """备份台账 save every ledger into a signed folder, while all runs; the keys of persons into another folder.

    密钥到期即删(XIAPAI_BACKUP_KEYS_DAYS),上传的工作簿不入备份。
    Keys end after XIAPAI_BACKUP_KEYS_DAYS; uploaded workbooks are not saved.
    """
    from command import backup as backups

    settings = None if check is not None and public is not None else place.settings_of(data)
    if check is not None:
        backups.check(check, backups.judge(settings, public), console)
    else:
        assert settings is not None
        asyncio.run(backups.backup(settings, to, keys, console))


@app.command()
def restore(
    folder: Annotated[
        Path, typer.Argument(help="一份备份 one backup: DIR/xiapai-…", metavar="BACKUP", exists=True, file_okay=False)
    ],
    keys: KeysOption = None,
    public: PublicOption = None,
    without_broker: Annotated[
        bool,
        typer.Option("--without-broker", help="消息代理已不存在 the broker is gone, nobody knows of later erasures"),
    ] = False,
    expired_keys: Annotated[bool, typer.Option("--expired-keys", help="使用过期密钥 take keys past their end")] = False,
    without_keys: Annotated[bool, typer.Option("--without-keys", help="放弃全部姓名 give up every name")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """恢复备份 load a backup into empty databases; every ledger begins a new life, and readers begin anew.

    进程须停止。备份之后被删除的人,凭较新的备份与消息代理得知,重新删除。
    The processes have to be stopped. Who was erased after the backup is erased again, as newer backups and the broker tell.
    """
    from command import restoring

    restoring.run(
        data,
        folder,
        keys,
        public,
        console,
        without_broker=without_broker,
        expired_keys=expired_keys,
        without_keys=without_keys,
    )


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="供监控读取 for monitors")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """体检 what is reachable, what lags, what is parked, what to do. Exits 0: well, 1: warnings, 2: problems."""
    from command.doctor import run

    raise typer.Exit(run(data, console, as_json=as_json))


@app.command()
def chaos(
    not_production: Annotated[
        bool, typer.Option("--not-production", help="确认这不是生产环境 this is not production; needed")
    ] = False,
    commands: Annotated[int, typer.Option(min=10, help="命令条数 how many commands, at least")] = 200,
    lanes: Annotated[int, typer.Option(min=1, max=64, help="同时的人数 clerks at work at once")] = 4,
    copies: Annotated[
        int, typer.Option(min=1, max=10, help="同一命令最多同时发几次 each is sent 1 to N times at once")
    ] = 3,
    pause: Annotated[
        float, typer.Option(min=0, help="一人的两条命令之间(秒) between a clerk's commands, seconds")
    ] = 0.0,
    kills: Annotated[int, typer.Option(min=0, help="kill -9 api, relay, worker: of what ./xiapai up runs here")] = 0,
    execute: Annotated[
        list[str] | None, typer.Option("--exec", metavar="COMMAND", help="随机时刻运行的命令 run at random moments")
    ] = None,
    times: Annotated[int, typer.Option(min=1, help="每个 --exec 运行几次 how often each --exec")] = 3,
    settle: Annotated[float, typer.Option(min=1, help="读者最后看到全部的时限(秒) until readers see all")] = 120,
    seed: Annotated[int | None, typer.Option(help="随机数种子 for the same choices again")] = None,
    report: Annotated[Path | None, typer.Option("--json", help="报告另存为 JSON report to a file")] = None,
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
) -> None:
    """混沌试验 break a trial installation under load, and see that no promise was broken.

    发出命令(派驻的登记、提名、批准、到岗……),同时出故障;最后逐条核对:凡确认过的都在、都只生效一次,读者所见与命令一致,
    同一个键换了命令必遭 422。只写区划 990117 的测试数据,代码以 990117-C… 开头;台账不能删除,所以只用于试验环境。

    Gives commands (units, cadres, postings) while things break, and then accounts for each: whatever was acknowledged is
    there, took effect once, and readers see it; another command under a used key was answered 422. Test data of division
    990117 alone, codes beginning 990117-C…; a ledger forgets nothing, so only trial installations.

    [bold]./xiapai up --no-demo --data trial[/bold]  然后 then
    [bold]./xiapai chaos --data trial --kills 20 --not-production[/bold]
    [bold]./xiapai chaos --url http://127.0.0.1:8080 --not-production --commands 2000 \\
        --exec 'docker compose kill registry-relay; docker compose up -d registry-relay'[/bold]
    没有 --kills 与 --exec 时由您自己制造故障 without either, the faults are yours to make (cut the network, restart the
    database, fill the disk); [bold]--pause 0.5[/bold] 让命令延续更久 makes the commands last.

    退出码 exits 0: 全部守住 all kept; 1: 有承诺未守住,或未能进行 a promise was broken, or it could not run;
    3: 守住了,但有命令没有得到应答 kept, but some commands were never answered.
    """
    import random

    from command.chaos import run as chaos_run
    from command.chaos.course import name_of_run
    from command.chaos.storm import Plan

    chaos_run.consent(not_production)
    address = place.find(data, url)
    seed = random.randrange(2**32) if seed is None else seed
    draw = random.Random(seed)
    plan = Plan(name_of_run(), commands, lanes, copies, 0.1, pause, settle)
    faults = chaos_run.faults(data, kills, execute or [], times, draw)
    account = asyncio.run(chaos_run.loose(address, plan, faults, draw, console))
    found = chaos_run.figures(account, plan, seed)
    chaos_run.show(account, found, console)
    if report is not None:
        chaos_run.write(report, found)
    code = 1 if not account.kept else 0 if account.complete else 3
    if url is None:
        from command import readmodels

        code = asyncio.run(readmodels.audit(console)) or code
    else:
        console.print("再核对读模型 and where the ledgers are: ./xiapai audit, ./xiapai verify-chain")
    raise typer.Exit(code)
