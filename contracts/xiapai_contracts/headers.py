"""JSON Schemas of the Kafka headers, as text; what :mod:`xiapai_contracts.record` writes satisfies them."""

from typing import Any

from xiapai_contracts.record import KEY_CHANGED, MARKER, SPEC_VERSION

Node = dict[str, Any]

_NUMBER = "^[0-9]{1,18}$"
_HASH = "^([0-9a-f]{64})?$"


def _moment(about: str) -> Node:
    return {"type": "string", "format": "date-time", "description": about}


def _text(about: str, **more: str) -> Node:
    return {"type": "string", "minLength": 1, "description": about, **more}


_ALWAYS: Node = {
    "ce_specversion": {"type": "string", "const": SPEC_VERSION, "description": "CloudEvents 版本"},
    "ce_id": _text("事件编号. Identifies the event within its source."),
    "ce_source": _text("来源服务, 如 /registry. The service whose ledger holds the event.", pattern="^/"),
    "ce_epoch": _text("台账的一次生命, 恢复备份后更换. The life of the source's ledger; another one after a restore."),
    "ce_position": _text("台账位置, 从 1 起连续. Counts the source's events from 1 without gaps.", pattern=_NUMBER),
    "ce_previous": _text(
        "同一分区中前一个事件的位置, 0 表示没有. The position of the event before this record in the partition; 0: none.",
        pattern=_NUMBER,
    ),
    "ce_published": _moment("发布的真实时间. The real time at which it was published."),
    "ce_hash": {"type": "string", "pattern": _HASH, "description": "台账链哈希. Chains the ledger (SHA-256, hex)."},
}

_STREAMED: Node = {
    "ce_subject": _text("流名, 与键相同. The stream, as in the key."),
    "ce_streamversion": _text("流内序号, 从 1 起. Counts the stream's events from 1.", pattern=_NUMBER),
    "ce_schemaversion": _text("事件版本. The version of the event's schema.", pattern=_NUMBER),
    "ce_by": {"type": "string", "description": "经办人代号. Who did it, by code; never a name."},
    "ce_streamhash": {"type": "string", "pattern": _HASH, "description": "流链哈希. Chains the stream (SHA-256, hex)."},
}

_TYPED: Node = {
    "content-type": {"type": "string", "const": "application/json", "description": "内容类型"},
    "ce_dataschema": _text("事件的 JSON Schema. The $id of the event's JSON Schema.", pattern="^urn:xiapai:"),
}

_SOMETIMES: Node = {
    "ce_cause": _text("起因. What the event reacts to."),
    "ce_at": _moment("发生时间 (申报). When it was done, as the command claims."),
    "ce_time": _moment("登记时间. When the ledger took it."),
    "traceparent": _text("W3C Trace Context."),
}


def _headers(about: str, kind: Node, properties: Node, required: tuple[str, ...]) -> Node:
    return {
        "type": "object",
        "description": about,
        "properties": {"ce_type": {"type": "string", **kind}, **properties},
        "required": ["ce_type", *required],
    }


EVENT_HEADERS = _headers(
    "事件的消息头. The headers of an event.",
    {"pattern": "^[a-z][a-z0-9.-]*$", "description": "事件名. The event's name, as posting.arrived."},
    {**_ALWAYS, **_TYPED, **_STREAMED, **_SOMETIMES},
    (*_ALWAYS, *_TYPED, *_STREAMED),
)
KEY_HEADERS = _headers(
    "密钥记录的消息头. The headers of a person's wrapped key.",
    {"const": KEY_CHANGED},
    {"content-type": {"type": "string", "const": "text/plain"}, **_ALWAYS, **_STREAMED, **_SOMETIMES},
    (*_ALWAYS, *_STREAMED),
)
MARKER_HEADERS = _headers("进度标记的消息头. The headers of a marker.", {"const": MARKER}, _ALWAYS, tuple(_ALWAYS))
