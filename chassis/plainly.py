"""What an operator can put right, said in one sentence with the next step; for everything else a trace is right."""

import ssl

from aiokafka.errors import KafkaConnectionError, KafkaError
from sqlalchemy.exc import DBAPIError

from chassis.keys import KeyFileMistake
from chassis.settings_sources import SettingsMistake
from ledger.backup.folder import BackupRefused
from ledger.clock import ClockMismatch
from ledger.kafka import TopicMismatch
from ledger.migrate import SchemaMismatch
from ledger.trouble import is_trouble

_SAID = (SettingsMistake, KeyFileMistake, SchemaMismatch, ClockMismatch, TopicMismatch, BackupRefused)


def plainly(error: BaseException) -> str | None:
    """The sentence, or None where the failure is the program's own."""
    if isinstance(error, _SAID):
        return str(error)
    if isinstance(error, KafkaConnectionError | KafkaError):
        return (
            f"消息代理不可用({type(error).__name__}):请检查 XIAPAI_KAFKA_BOOTSTRAP 与代理是否运行。"
            "The broker cannot be used: see that it runs and that XIAPAI_KAFKA_BOOTSTRAP names it."
        )
    if (refused := _handshake(error)) is not None:
        return (
            f"数据库的 TLS 证书未通过校验({refused}):请检查 XIAPAI_POSTGRES_CA_FILE 与地址中的主机名。"
            "The database's TLS certificate is not accepted: check XIAPAI_POSTGRES_CA_FILE, and that the address names"
            " the host as its certificate does."
        )
    if "rejected SSL upgrade" in str(error):
        return (
            "数据库不提供 TLS:请在数据库开启 ssl,或检查 XIAPAI_POSTGRES_TLS。"
            "The database does not offer TLS: switch on its ssl, or see XIAPAI_POSTGRES_TLS."
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


def _handshake(error: BaseException | None) -> str | None:
    """Why TLS could not be agreed on, in OpenSSL's words, which name certificates and hosts and nothing else."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return str(getattr(error, "verify_message", "") or error.reason or type(error).__name__)
        error = error.__cause__
    return None


def _sqlstate(error: BaseException | None) -> str:
    while error is not None:
        origin = error.orig if isinstance(error, DBAPIError) else error
        state = getattr(origin, "sqlstate", None)
        if state:
            return str(state)
        error = error.__cause__
    return ""
