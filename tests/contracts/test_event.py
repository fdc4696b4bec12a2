"""An event is a frozen dataclass with a name and a version, and a codec reads every version of it."""

from dataclasses import FrozenInstanceError, dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest
from xiapai_contracts.event import Codec, Fields, MalformedEvent, UnknownEvent, event, event_type
from xiapai_contracts.notify import ReminderDelivered
from xiapai_contracts.registry import CadreArrived, PostingApproved
from xiapai_contracts.topics import CODEC, EVENTS, TOPICS, topics_of


@event("visit.made")
class VisitV1:
    """走访."""

    host: str


def _with_day(fields: Fields) -> Fields:
    return {**fields, "on": "2026-01-01"}


def _with_people(fields: Fields) -> Fields:
    return {**fields, "people": len(fields["host"])}


@event("visit.made", version=3, upcasts={1: _with_day, 2: _with_people})
class Visit:
    """走访."""

    host: str
    on: date = date(2025, 1, 1)
    people: int = 1


READER = Codec([Visit])


def test_an_event_of_the_first_version_climbs_through_every_upcast() -> None:
    assert READER.decode("visit.made", 1, Codec([VisitV1]).encode(VisitV1(host="CW-1"))) == Visit(
        host="CW-1", on=date(2026, 1, 1), people=4
    )


def test_an_event_of_the_second_version_climbs_the_last_step_alone() -> None:
    assert READER.decode("visit.made", 2, b'{"host":"CW","on":"2026-07-01"}') == Visit(
        host="CW", on=date(2026, 7, 1), people=2
    )


def test_a_reader_passes_over_what_a_later_version_added() -> None:
    later = b'{"host":"CW","on":"2026-07-01","people":9,"weather":"rain"}'
    assert READER.decode("visit.made", 4, later) == Visit(host="CW", on=date(2026, 7, 1), people=9)


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        PostingApproved(posting="P1").posting = "P2"  # type: ignore[misc]


def test_an_event_has_no_room_for_other_fields() -> None:
    assert not hasattr(PostingApproved(posting="P1"), "__dict__")


@pytest.mark.parametrize("steps", [{}, {1: _with_day}, {1: _with_day, 2: _with_day, 3: _with_day}])
def test_a_version_without_exactly_one_upcast_from_each_earlier_one_is_refused(steps: dict[int, Any]) -> None:
    with pytest.raises(TypeError, match="one upcast from each of the versions 1 to 2"):
        event("visit.made", version=3, upcasts=steps)


@pytest.mark.parametrize(
    "name", ["", "Posting.Arrived", "posting arrived", "posting/arrived", "派驻", ".arrived", "a..b"]
)
def test_a_name_that_no_file_or_urn_could_carry_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match="is no name for an event"):
        event(name)


def test_two_events_of_one_name_cannot_share_a_codec() -> None:
    with pytest.raises(TypeError, match=r"two events are called visit\.made"):
        Codec([Visit, VisitV1])


def test_the_same_type_may_be_given_twice() -> None:
    assert Codec([Visit, Visit]).types == {"visit.made": Visit}


def test_what_is_no_event_has_no_event_type() -> None:
    @dataclass
    class Plain:
        field: int

    with pytest.raises(TypeError, match="Plain is no event"):
        event_type(Plain(1))
    with pytest.raises(TypeError, match="Plain is no event"):
        Codec([Plain])


def test_an_event_says_its_name_and_version() -> None:
    assert (event_type(Visit).event_name, event_type(Visit(host="CW")).event_version) == ("visit.made", 3)


def test_a_codec_writes_only_events_of_its_set() -> None:
    with pytest.raises(UnknownEvent, match="PostingApproved"):
        READER.encode(PostingApproved(posting="P1"))
    with pytest.raises(UnknownEvent, match="VisitV1"):
        READER.encode(VisitV1(host="CW"))


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(UnknownEvent, match=r"visit\.dreamt"):
        READER.decode("visit.dreamt", 1, b"{}")


@pytest.mark.parametrize(
    ("version", "data", "says"),
    [
        (3, b"", "truncated"),
        (3, b"{", "truncated"),
        (3, b"[]", "Expected `object`"),
        (3, b"{}", "missing required field `host`"),
        (3, b'{"host":7}', r"Expected `str`, got `int` - at `\$.host`"),
        (3, b'{"host":"CW","on":"2026-02-30"}', r"\$.on"),
        (3, b'{"host":"\xff"}', "neither UTF-8"),
        (3, b'{"host":"CW","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "sane depth"),
        (2, b"[]", ""),
        (2, b"7", ""),
        (2, b'{"on":"2026-01-01"}', "host"),
        (1, b"null", ""),
        (0, b'{"host":"CW"}', "versions count from 1"),
        (-1, b'{"host":"CW"}', "versions count from 1"),
    ],
)
def test_what_is_not_as_promised_is_malformed_and_says_where(version: int, data: bytes, says: str) -> None:
    with pytest.raises(MalformedEvent, match=rf"visit.made v{version}: .*{says}"):
        READER.decode("visit.made", version, data)


def test_a_message_names_the_field_and_never_quotes_what_stood_in_it() -> None:
    data = CODEC.encode(_arrival()).replace(b"DISTRICT", b"Zhang San - at `x` 990117197803150015")
    with pytest.raises(MalformedEvent) as caught:
        CODEC.decode("posting.arrived", 1, data)
    assert str(caught.value) == "posting.arrived v1: Invalid enum value - at `$.tier`"
    assert caught.value.__cause__ is None


def test_a_moment_without_its_offset_is_malformed() -> None:
    delivered = ReminderDelivered(
        reminder="R", channel="webhook", delivered_at=datetime(2026, 7, 1, tzinfo=UTC), attempts=1
    )
    data = CODEC.encode(delivered)
    assert CODEC.decode("reminder.delivered", 1, data) == delivered
    with pytest.raises(MalformedEvent, match="delivered_at"):
        CODEC.decode("reminder.delivered", 1, data.replace(b"00Z", b"00"))


def _arrival() -> CadreArrived:
    fields = b'{"posting":"P","on":"2026-03-02","person":"R","host":"H","sender":"S","tier":"DISTRICT",'
    arrived: CadreArrived = CODEC.decode(
        "posting.arrived", 1, fields + b'"category":"RURAL_GUIDE","ends":"2028-02-29"}'
    )
    return arrived


def test_every_event_stands_in_one_topic_and_every_topic_has_one_owner() -> None:
    assert len(set(EVENTS)) == len(EVENTS)
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
    assert {topic.name: topic.owner for topic in TOPICS} == {
        topic.name: topic.name.partition(".")[0] for topic in TOPICS
    }
    assert set(topics_of("registry")) < set(TOPICS)


def test_event_topics_are_kept_without_end() -> None:
    assert [topic.name for topic in TOPICS if topic.events and topic.retention_hours is not None] == []
