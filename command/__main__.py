"""`./xiapai`: the command. Each verb is a few lines, here or (those of operators) in a file beside; its work stands in a
file of its own name."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from xiapai_contracts.terms import Category

from chassis.identity.principal import Role
from chassis.role import ProcessRole
from command import operators, place
from command.mistakes import Mistake
from command.place import DEFAULT_DATA, DataOption, UrlOption
from command.terminal import console

HELP = """下派:干部下基层的督导系统。supervision of cadres seconded to the grassroots.

先试一试 try it:  [bold]./xiapai up[/bold]  然后打开它打印的地址 then open the address that it prints.

导入台账 import a workbook:  [bold]./xiapai import 下派台账.xlsx --back 结果.xlsx[/bold]

凡命令都作用于 --data 目录中正在运行的系统;--url 与 XIAPAI_TOKEN 可指向任何其他安装。
Commands speak to what runs from --data; --url with XIAPAI_TOKEN reaches any other installation.
"""

app = typer.Typer(
    help=HELP, rich_markup_mode="rich", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


@app.command()
def up(
    data: DataOption = DEFAULT_DATA,
    port: Annotated[int | None, typer.Option(help="督导台端口 port of the desk (default 8080, or a free one)")] = None,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="载入演示区 with the demo district")] = True,
) -> None:
    """在本机启动全部服务 start everything on this machine, in the foreground.

    不需要 Docker 与 Java。数据保存在 --data 目录;Ctrl-C 停止全部。演示时间停在 2026-07-01 09:00;--no-demo 用真实时间。
    Needs neither Docker nor Java. Data stays in --data; Ctrl-C stops it all.
    """
    from command.up import run

    raise typer.Exit(run(data, port, demo=demo, console=console))


@app.command()
def run(
    role: Annotated[ProcessRole, typer.Argument(help="api 应答, relay 发布, worker 处理")],
    services: Annotated[
        list[str] | None, typer.Argument(help="registry reporting assessment notify projection")
    ] = None,
) -> None:
    """运行一个进程 be one process of one or several services, configured by XIAPAI_* (see chassis/SETTINGS.md)."""
    from command.run import run as be

    be(role, services or [])


@app.command("import")
def import_(
    workbook: Annotated[Path, typer.Argument(help="下派台账.xlsx", exists=True, dir_okay=False, metavar="FILE.xlsx")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查,不写入 check only")] = False,
    back: Annotated[
        Path | None, typer.Option(help="带逐行结果的回执 the workbook back, with each row's result")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
) -> None:
    """导入台账 import a workbook. Exits 0 where every row was taken, 3 where some were refused."""
    from command.importing import client, fetch_back_copy, import_workbook, show

    with client(place.find(data, url)) as http:
        outcome = import_workbook(http, workbook, dry_run=dry_run, console=console)
        show(outcome, console)
        if back is not None:
            fetch_back_copy(http, outcome, back)
            console.print(f"回执 back copy: {back}")
    if outcome.refused:
        raise typer.Exit(3)


app.add_typer(operators.app)


@app.command()
def erase(
    person: Annotated[str, typer.Argument(help="人员编号 the person's number")],
    ground: Annotated[str, typer.Option(help="依据 why")] = "本人申请",
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 do not ask")] = False,
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
) -> None:
    """删除个人信息 destroy the key of a person, for ever: name, number and phone can then be read by nobody."""
    if not yes:
        typer.confirm(f"永久删除 {person} 的个人信息?erase the personal data of {person} for ever?", abort=True)
    from command import operate

    operate.erase(place.find(data, url), person, ground, console)


@app.command()
def token(
    role: Annotated[Role, typer.Option(help="角色 role")],
    unit: Annotated[str | None, typer.Option(help="单位代码 unit, for clerk and leader")] = None,
    category: Annotated[
        list[Category] | None, typer.Option(help="类别 a department's category (may be repeated)")
    ] = None,
    person: Annotated[str | None, typer.Option(help="人员编号 person, for cadre")] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """打印开发令牌 print a bearer token of the development issuer."""
    from chassis.identity.development import mint

    print(mint(place.settings_of(data), role, unit=unit, categories=category or [], person=person))


@app.command("secrets")
def secrets_(
    folder: Annotated[Path, typer.Argument(help="目录 folder", exists=True, file_okay=False, metavar="DIR")],
    development: Annotated[
        bool, typer.Option("--development", help="含开发签发者 with the development issuer's key")
    ] = False,
) -> None:
    """生成口令与密钥 make passwords and keys of an installation, once; what is there stays."""
    from command.secrets import make

    make(folder, development=development, console=console)


def main() -> None:
    """Run the command; what a person can put right is said in one line, which the Kafka client's own would only blur."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        app(prog_name="./xiapai")
    except Exception as error:
        said = str(error) if isinstance(error, Mistake) else _plainly(error)
        if said is None:
            raise
        print(said, file=sys.stderr)
        raise SystemExit(1) from None


def _plainly(error: Exception) -> str | None:
    import httpx

    from chassis.plainly import plainly
    from deploy.embedded.trouble import Trouble

    if isinstance(error, Trouble):
        return str(error)
    if isinstance(error, httpx.TransportError):
        return f"接口无法连接({type(error).__name__})。The API cannot be reached: is it running? (./xiapai up)"
    return plainly(error)


if __name__ == "__main__":
    main()
