"""What a server's start may fail with, said in one sentence and with the next step."""

from pathlib import Path


class Trouble(Exception):
    """A server that cannot do what was asked.

    ``code`` is stable, ``zh`` and ``en`` are one sentence each that ends with the next step; ``str()`` is both.
    """

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(f"{zh} {en}")
        self.code, self.zh, self.en = code, zh, en


def port_in_use(port: int, server: str) -> Trouble:
    return Trouble(
        "port-in-use",
        f"{server} 的端口 {port} 已被占用：请换一个端口，或停止占用它的程序。",
        f"Port {port} for {server} is in use: give another port, or stop the program that holds it.",
    )


def in_use(folder: Path) -> Trouble:
    return Trouble(
        "data-folder-in-use",
        f"数据目录 {folder} 正由另一个进程使用：请先停止它，或用 --data 另选目录。",
        f"Another process runs on the data folder {folder}: stop it first, or choose another with --data.",
    )


def not_writable(folder: Path) -> Trouble:
    return Trouble(
        "data-folder-not-writable",
        f"无法写入数据目录 {folder}：请改正其属主或权限，或用 --data 另选目录。",
        f"The data folder {folder} cannot be written: mend its owner or mode, or choose another with --data.",
    )


def disk_full(folder: Path) -> Trouble:
    return Trouble(
        "disk-full",
        f"{folder} 所在磁盘已满：请腾出空间后重新启动，已确认的数据不受影响。",
        f"The disk of {folder} is full: free some space and start again; what was acknowledged is kept.",
    )


def missing(program: str, remedy_zh: str, remedy_en: str) -> Trouble:
    return Trouble("program-missing", f"缺少 {program}：{remedy_zh}。", f"{program} is missing: {remedy_en}.")


def did_not_start(server: str, log: Path, said: str) -> Trouble:
    because = f" ({said})" if said else ""
    return Trouble(
        "server-did-not-start",
        f"{server} 未能启动{because}：详情见 {log}。",
        f"{server} did not start{because}: see {log}.",
    )


def of_output(server: str, folder: Path, log: Path, text: str, port: int = 0) -> Trouble:
    """The trouble that a server's last words tell of; ``text`` is the end of its log."""
    if "No space left on device" in text:
        return disk_full(folder)
    if port and ("Address already in use" in text or "BindException" in text):
        return port_in_use(port, server)
    if "Permission denied" in text or "Read-only file system" in text:
        return not_writable(folder)
    loud = [line for line in text.splitlines() if any(word in line for word in ("FATAL", "PANIC", "ERROR", "error:"))]
    return did_not_start(server, log, loud[-1].strip()[-200:] if loud else "")


def of_os_error(folder: Path, error: OSError) -> Trouble:
    import errno

    return disk_full(folder) if error.errno in (errno.ENOSPC, errno.EDQUOT) else not_writable(folder)
