"""What the projection says to people: code -> (Chinese, English)."""

TEXTS: dict[str, tuple[str, str]] = {
    "read-models-not-built": (
        "查询数据正在重建,暂时不能查询。请稍后再试。",
        "The read models are being built, so nothing can be asked yet. Try again later.",
    ),
    "known-malformed": (
        "所给的时点格式不对。请写成 registry@912,或 2026-07-01T09:00:00+08:00。",
        "What was to be known is malformed. Write it as registry@912, or as 2026-07-01T09:00:00+08:00.",
    ),
    "known-twice": (
        "同时给了 known 和 known_at。请只留一个。",
        "Both known and known_at were given. Leave one of them.",
    ),
    "source-not-read": (
        "查询数据不来自 {source}。请只写 {known} 的位置。",
        "The read models are not made from {source}. Name a position of {known} only.",
    ),
    "period-malformed": (
        "报告期的格式不对。请写成 2026H1(上半年)或 2026H2(下半年)。",
        "The period is malformed. Write it as 2026H1 (January to June) or 2026H2 (July to December).",
    ),
    "as-of-outside-period": (
        "截止日期不在报告期 {period} 之内。请选 {first} 到 {last} 之间的一天。",
        "The day is not within the period {period}. Choose one from {first} to {last}.",
    ),
    "figure-unknown": (
        "没有这个指标。请用 1 到 {most} 的编号。",
        "There is no such figure. Use a number from 1 to {most}.",
    ),
    "names-not-shown": (
        "您的角色看不到人员姓名,也不能按姓名查找。请去掉参数 q。",
        "Your role does not see names and cannot search by them. Leave out the parameter q.",
    ),
}
