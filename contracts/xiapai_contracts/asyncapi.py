"""The AsyncAPI 3.0 document: every topic, what it carries, and which service writes it."""

from collections.abc import Iterable, Mapping
from typing import Any

from xiapai_contracts import published
from xiapai_contracts.event import event_type
from xiapai_contracts.headers import EVENT_HEADERS, KEY_HEADERS, MARKER_HEADERS
from xiapai_contracts.record import KEY_CHANGED, MARKER
from xiapai_contracts.schema import DRAFT, description, title
from xiapai_contracts.topic import Topic

Node = dict[str, Any]

ABOUT = """下派干部督导系统对外发布的事件。每个主题只有一个写入方; 记录采用 CloudEvents 1.0 二进制模式, 键为流名。
标记 x-restricted 的主题只供系统内部使用, 不向其他部门开放。

The public events of 下派, the supervision of a district's posted cadres. Each topic has one writer; records are
CloudEvents 1.0 in binary mode, keyed by stream. Topics marked x-restricted are for the services themselves alone."""

OWNERS = {
    "registry": "派驻登记 who is posted where",
    "reporting": "汇报 three-party reports",
    "assessment": "考核 assessment",
    "notify": "提醒 reminders",
}

_KAFKA = "0.5.0"
_HOUR = 3_600_000


def document(topics: Iterable[Topic], versions: Mapping[str, tuple[int, ...]], release: str) -> Node:
    """The document for ``topics``. ``versions`` are those ever published of each event: a topic is kept without end, so
    a reader meets them all."""
    topics = tuple(topics)
    owners = dict.fromkeys(topic.owner for topic in topics)
    messages: Node = {}
    for topic in topics:
        for event in topic.events:
            name = event_type(event).event_name
            for version in versions[name]:
                messages[f"{name}.v{version}"] = _event(event, name, version)
        if topic.compacted:
            messages[KEY_CHANGED] = _key_changed()
    messages[MARKER] = _marker()
    return {
        "asyncapi": "3.0.0",
        "id": "urn:xiapai",
        "info": {
            "title": "下派干部督导系统事件 Events of 下派",
            "version": release,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "tags": [{"name": owner, "description": OWNERS.get(owner, owner)} for owner in owners],
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic, versions) for topic in topics},
        "operations": {f"send-{topic.name}": _operation(topic, versions) for topic in topics},
        "components": {
            "messages": messages,
            "schemas": {"eventHeaders": EVENT_HEADERS, "keyHeaders": KEY_HEADERS, "markerHeaders": MARKER_HEADERS},
        },
    }


def _carried(topic: Topic, versions: Mapping[str, tuple[int, ...]]) -> list[str]:
    names = [event_type(event).event_name for event in topic.events]
    messages = [f"{name}.v{version}" for name in names for version in versions[name]]
    return [*messages, KEY_CHANGED if topic.compacted else MARKER]


def _channel(topic: Topic, versions: Mapping[str, tuple[int, ...]]) -> Node:
    retention = -1 if topic.retention_hours is None else topic.retention_hours * _HOUR
    channel: Node = {
        "address": topic.name,
        "title": topic.about,
        "description": _words(topic),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _carried(topic, versions)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["compact" if topic.compacted else "delete"],
                    "retention.ms": retention,
                },
                "bindingVersion": _KAFKA,
            }
        },
    }
    if topic.restricted:
        channel["x-restricted"] = True
    return channel


def _words(topic: Topic) -> str:
    kept_zh, kept = "永久保留", "kept without end"
    if topic.compacted:
        kept_zh, kept = "按键压缩, 每键保留最后一条", "compacted: the last record of each key is kept"
    elif topic.retention_hours is not None:
        kept_zh, kept = f"保留 {topic.retention_hours} 小时", f"kept for {topic.retention_hours} hours"
    closed_zh, closed = ("仅供系统内部使用。", " For the services themselves alone.") if topic.restricted else ("", "")
    about_zh, _, about = topic.about.partition(" ")
    return (
        f"{about_zh}。写入方 {topic.owner}, {kept_zh}。{closed_zh}\n\n"
        f"{about[:1].upper()}{about[1:]}. Written by {topic.owner} alone; {kept}; the number of partitions never changes.{closed}"
    )


def _operation(topic: Topic, versions: Mapping[str, tuple[int, ...]]) -> Node:
    operation: Node = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "title": f"{topic.owner} → {topic.name}",
        "summary": f"{topic.owner} 发布 {topic.name}. {topic.owner} publishes {topic.name}.",
        "tags": [{"name": topic.owner}],
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in _carried(topic, versions)],
    }
    if topic.restricted:
        operation["x-restricted"] = True
    return operation


def _event(event: type[Any], name: str, version: int) -> Node:
    return {
        "name": name,
        "title": title(event),
        "summary": description(event),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/eventHeaders"},
        "payload": {
            "schemaFormat": f"application/schema+json;version={DRAFT.removesuffix('/schema').rpartition('/draft/')[2]}",
            "schema": {"$ref": f"./schemas/{published.file_name(name, version)}"},
        },
        "bindings": _key("流名, 如 posting-PZ2026-0001. The stream."),
    }


def _marker() -> Node:
    return {
        "name": MARKER,
        "title": "进度标记",
        "summary": "The partition holds every event of its ledger up to ce_position. No value. "
        "表示该分区已包含台账至 ce_position 为止的全部事件; 无值。",
        "headers": {"$ref": "#/components/schemas/markerHeaders"},
        "payload": {"type": "null"},
    }


def _key_changed() -> Node:
    return {
        "name": KEY_CHANGED,
        "title": "人员密钥",
        "summary": "A person's wrapped key; a record without a value says that the key was destroyed (已删除).",
        "contentType": "text/plain",
        "headers": {"$ref": "#/components/schemas/keyHeaders"},
        "payload": {"type": ["string", "null"]},
        "bindings": _key("人员流名, 如 person-R0001. The person's stream."),
        "x-restricted": True,
    }


def _key(about: str) -> Node:
    return {"kafka": {"key": {"type": "string", "description": about}, "bindingVersion": _KAFKA}}
