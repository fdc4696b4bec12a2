"""What an operator can put right, said in one sentence with the next step; for everything else a trace is right."""

from aiokafka.errors import KafkaConnectionError, KafkaError
from sqlalchemy.exc import DBAPIError

from chassis.keys import KeyFileMistake
from chassis.settings_sources import SettingsMistake
from ledger.clock import ClockMismatch
from ledger.kafka import TopicMismatch
from ledger.migrate import SchemaMismatch
from ledger.trouble import is_trouble

_SAID = (SettingsMistake, KeyFileMistake, SchemaMismatch, ClockMismatch, TopicMismatch)


def plainly(error: BaseException) -> str | None:
    """The sentence, or None where the failure is the program's own."""
    if isinstance(error, _SAID):
        return str(error)
    if isinstance(error, KafkaConnectionError | KafkaError):
        return (
            f"消息代理不可用({type(error).__name__}):请检查 XIAPAI_KAFKA_BOOTSTRAP 与代理是否运行。"
            "The broker cannot be used: see that it runs and that XIAPAI_KAFKA_BOOTSTRAP names it."
        )
    state = _sqlstate(error)
    if state.startswith("28"):
        return (
            "数据库拒绝登录:请检查 XIAPAI_POSTGRES 中的用户名和口令。"
            "The database refuses the login: check user and password in XIAPAI_POSTGRES."
        )
    if state == "3D000":
        return (
            "数据库不存在:请按 deploy/postgres/databases.sql 建立各服务的数据库。"
            "A service's database does not exist: make them as in deploy/postgres/databases.sql."
        )
    if state == "53100":
        return (
            "数据库所在磁盘已满:请腾出空间后重试,已确认的数据不受影响。"
            "The database's disk is full: free some space and try again; what was acknowledged is kept."
        )
    if is_trouble(error):
        return (
            "数据库无法连接:请检查 XIAPAI_POSTGRES 与数据库是否运行。"
            "The database cannot be reached: see that it runs and that XIAPAI_POSTGRES names it."
        )
    return None


def _sqlstate(error: BaseException | None) -> str:
    while error is not None:
        origin = error.orig if isinstance(error, DBAPIError) else error
        state = getattr(origin, "sqlstate", None)
        if state:
            return str(state)
        error = error.__cause__
    return ""
