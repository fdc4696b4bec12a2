"""Notify's own sentences."""

from chassis.catalogue import Texts

TEXTS: Texts = {
    "reminder-unknown": (
        "没有这条提醒。请检查编号,或从提醒列表中重新选择。",
        "There is no such reminder. Check its identifier, or choose it from the list of reminders.",
    ),
}
