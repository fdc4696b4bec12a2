"""What the projection says to people: code -> (Chinese, English)."""

TEXTS: dict[str, tuple[str, str]] = {
    "read-models-not-built": (
        "查询数据正在重建,暂时不能查询。请稍后再试。",
        "The read models are being built, so nothing can be asked yet. Try again later.",
    ),
}
