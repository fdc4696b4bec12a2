"""The headers of a record say what its reader needs, come back as they were, and are named when they are malformed."""

from datetime import UTC, datetime, timedelta, timezone

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from xiapai_contracts import published
from xiapai_contracts.headers import EVENT_HEADERS, KEY_HEADERS, MARKER_HEADERS
from xiapai_contracts.record import (
    KEY_CHANGED,
    MARKER,
    OURS,
    MalformedRecord,
    Meta,
    from_headers,
    from_headers_of,
    to_headers,
)

NOON = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
ARRIVED = Meta(
    source="registry",
    type="posting.arrived",
    epoch="0e5f1d1c",
    position=912,
    previous=907,
    published=NOON,
    id="8d1c6b0a-6a2e-5f57-9d0a-3d9d3c1f0a11",
    stream="posting-PZ2026-0412",
    version=3,
    by="R0902",
    at=NOON,
    recorded_at=NOON,
    stream_hash=bytes(32),
    hash=bytes(range(32)),
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 2),
    max_value=datetime(2999, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-3, minutes=-30))]),
)
COUNTS = st.integers(min_value=1, max_value=2**59)
COMMON = {
    "source": TEXT.filter(lambda text: not text.startswith("/")),
    "epoch": TEXT,
    "position": COUNTS,
    "previous": st.integers(min_value=0, max_value=2**59),
    "published": MOMENTS,
    "id": TEXT,
    "hash": st.binary(min_size=32, max_size=32),
}
STREAMED = {
    "stream": TEXT,
    "version": COUNTS,
    "schema": COUNTS,
    "by": TEXT | st.just(""),
    "cause": TEXT | st.just(""),
    "at": MOMENTS | st.none(),
    "recorded_at": MOMENTS | st.none(),
    "stream_hash": st.binary(min_size=32, max_size=32),
    "traceparent": TEXT | st.just(""),
}
EVENTS = st.builds(Meta, type=st.sampled_from(["posting.arrived", "unit.renamed"]), **COMMON, **STREAMED)
KEYS = st.builds(Meta, type=st.just(KEY_CHANGED), **COMMON, **STREAMED)
MARKERS = st.builds(Meta, type=st.just(MARKER), **COMMON)


@given(EVENTS | KEYS | MARKERS)
def test_what_is_written_is_read_back(meta: Meta) -> None:
    assert from_headers(to_headers(meta)) == meta


@given(EVENTS, st.randoms())
def test_order_does_not_matter_and_headers_of_others_are_kept(meta: Meta, random: object) -> None:
    headers = [*to_headers(meta), ("x-other", b"\xff"), ("ce_other", b"\xff"), ("ce_other", b"")]
    random.shuffle(headers)  # type: ignore[attr-defined]
    read = from_headers(headers)
    assert replace(read, others=()) == meta
    assert read.others == tuple(header for header in headers if "other" in header[0])
    assert sorted(to_headers(read)) == sorted(headers)


def test_a_header_that_stands_there_twice_says_nothing() -> None:
    with pytest.raises(MalformedRecord, match="ce_position stands there twice"):
        from_headers([*to_headers(ARRIVED), ("ce_position", b"1")])


@given(EVENTS | KEYS | MARKERS)
def test_headers_are_as_the_asyncapi_document_says(meta: Meta) -> None:
    schema = {MARKER: MARKER_HEADERS, KEY_CHANGED: KEY_HEADERS}.get(meta.type, EVENT_HEADERS)
    headers = {name: value.decode() for name, value in to_headers(meta)}
    jsonschema.Draft202012Validator(schema).validate(headers)
    assert set(headers) <= set(schema["properties"]) <= OURS


def test_names_of_cloudevents_attributes_are_lower_case_letters_and_digits() -> None:
    meta = replace(ARRIVED, cause="reporting/1", traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    names = [name for name, _ in to_headers(meta)]
    attributes = [name.removeprefix("ce_") for name in names if name.startswith("ce_")]
    assert [name for name in attributes if not (name.isascii() and name.isalnum() and name == name.lower())] == []
    assert [name for name in attributes if len(name) > 20] == []
    assert set(names) - {f"ce_{name}" for name in attributes} == {"content-type", "traceparent"}
    assert len(names) == len(set(names))


def test_the_data_schema_of_a_record_is_the_id_of_its_schema() -> None:
    assert dict(to_headers(ARRIVED))["ce_dataschema"].decode() == published.schema("posting.arrived", 1)["$id"]


def test_a_marker_without_an_id_is_named_by_epoch_and_position() -> None:
    marker = Meta(source="registry", type=MARKER, epoch="e", position=0, previous=0, published=NOON)
    assert from_headers(to_headers(marker)) == replace(marker, id="e/0")


@pytest.mark.parametrize("name", [name for name, _ in to_headers(ARRIVED) if name.startswith("ce_")])
def test_a_missing_header_is_named_unless_it_may_be_missing(name: str) -> None:
    headers = [header for header in to_headers(ARRIVED) if header[0] != name]
    if name in ("ce_by", "ce_at", "ce_time", "ce_hash", "ce_streamhash", "ce_dataschema"):
        assert isinstance(from_headers(headers), Meta)
    else:
        with pytest.raises(MalformedRecord, match=f"header {name} is missing"):
            from_headers(headers)


NUMBERS = ("ce_position", "ce_previous", "ce_streamversion", "ce_schemaversion")
MALFORMED = [
    *[
        (name, value, "is no number")
        for name in NUMBERS
        for value in (b"x", b"-1", b"1.0", b" 1", b"1_0", "１".encode())
    ],
    *[(name, b"9" * 30, "is no number") for name in NUMBERS],
    *[(name, b"0", "is below 1") for name in NUMBERS if name != "ce_previous"],
    *[(name, b"", "is empty") for name in (*NUMBERS, "ce_id", "ce_type", "ce_source", "ce_epoch", "ce_subject")],
    *[
        (name, b"\xff", "is not UTF-8")
        for name in ("ce_id", "ce_source", "ce_subject", "ce_by", "ce_published", "ce_hash")
    ],
    *[(name, b"yesterday", "is no time") for name in ("ce_published", "ce_at", "ce_time")],
    *[(name, b"2026-07-01T12:00:00", "is a time without its offset") for name in ("ce_published", "ce_at", "ce_time")],
    *[(name, b"xyz", "is not hex") for name in ("ce_hash", "ce_streamhash")],
    ("ce_specversion", b"0.3", "is not 1.0"),
]


@pytest.mark.parametrize(("name", "value", "says"), MALFORMED)
def test_a_malformed_header_is_named(name: str, value: bytes, says: str) -> None:
    headers = [header if header[0] != name else (name, value) for header in to_headers(ARRIVED)]
    with pytest.raises(MalformedRecord, match=f"header {name} {says}"):
        from_headers(headers)


@pytest.mark.parametrize("name", [name for name, _ in to_headers(ARRIVED)])
@given(value=st.binary(max_size=40) | st.none())
def test_any_bytes_in_any_header_are_read_or_refused_and_nothing_else(name: str, value: bytes | None) -> None:
    headers = [header if header[0] != name else (name, value) for header in to_headers(ARRIVED)]
    try:
        assert isinstance(from_headers(headers), Meta)
    except MalformedRecord as refused:
        assert str(refused).startswith("header ce_")


def test_a_record_without_headers_is_malformed() -> None:
    with pytest.raises(MalformedRecord, match="header ce_specversion is missing"):
        from_headers([])


NAIVE = datetime(2026, 7, 1)


@pytest.mark.parametrize(
    "meta", [replace(ARRIVED, published=NAIVE), replace(ARRIVED, at=NAIVE), replace(ARRIVED, recorded_at=NAIVE)]
)
def test_a_time_without_its_offset_is_not_written(meta: Meta) -> None:
    with pytest.raises(ValueError, match="without its offset"):
        to_headers(meta)


def singly(headers: list[tuple[str, bytes | None]]) -> Meta | str:
    try:
        return from_headers(headers)
    except MalformedRecord as refused:
        return str(refused)


def together(records: list[list[tuple[str, bytes | None]]]) -> list[Meta | str]:
    return [found if isinstance(found, Meta) else str(found) for found in from_headers_of(records)]


ALIKE: list[list[tuple[str, bytes | None]]] = [
    list(to_headers(replace(ARRIVED, position=n, version=n, id=f"i{n}", stream=f"posting-{n % 3}")))
    for n in range(1, 9)
]
OTHERS: list[list[tuple[str, bytes | None]]] = [
    list(to_headers(replace(ARRIVED, type=MARKER))),
    list(to_headers(replace(ARRIVED, type=KEY_CHANGED, version=0))),
    list(to_headers(replace(ARRIVED, type=KEY_CHANGED, version=1))),
    list(to_headers(replace(ARRIVED, cause="reporting/1", by="", traceparent="t"))),
    [*to_headers(ARRIVED), ("x-other", b"\xff"), ("x-empty", None)],
    [],
    [("ce_type", b"posting.arrived")],
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(ALIKE + OTHERS), max_size=600))
def test_many_records_are_read_as_each_alone(records: list[list[tuple[str, bytes | None]]]) -> None:
    assert together(records) == [singly(headers) for headers in records]


@settings(deadline=None)
@pytest.mark.parametrize("name", [name for name, _ in to_headers(ARRIVED)])
@given(
    value=st.one_of(
        st.none(),
        st.binary(max_size=40),
        st.sampled_from([b"0", b"-1", b"+1", b" 1", b"1_0", b"2026-07-01", b"9" * 19]),
    )
)
def test_one_record_that_is_not_as_promised_spoils_no_other(name: str, value: bytes | None) -> None:
    other = [header if header[0] != name else (name, value) for header in ALIKE[3]]
    doubled = [*ALIKE[4], (name, value)]
    for records in ([*ALIKE, other], [other, other], [*ALIKE, doubled, doubled], [doubled]):
        assert together(records) == [singly(headers) for headers in records]
