"""Cursors and ETags: opaque, bound to their query and reader."""

import pytest
from starlette.requests import Request

from chassis.cursor import Cursors
from chassis.etag import conditional, etag, not_modified
from chassis.problems import BadRequest

CURSORS = Cursors(b"k" * 32)


def asking(*tags: str) -> Request:
    return Request({"type": "http", "headers": [(b"if-none-match", tag.encode("latin-1")) for tag in tags]})


def test_a_cursor_comes_back_as_it_went_and_hides_the_name_in_it() -> None:
    cursor = CURSORS.encode("roster 1", ("单雄", 17))
    assert CURSORS.decode("roster 1", cursor, tuple[str, int]) == ("单雄", 17)
    assert cursor == CURSORS.encode("roster 1", ("单雄", 17)), "the same page has the same cursor"
    assert cursor.isascii() and "=" not in cursor


def test_a_changed_cursor_is_refused_wherever_it_was_changed() -> None:
    cursor = CURSORS.encode("roster 1", ("name", 17))
    bad = [cursor[:n] + ("A" if cursor[n] != "A" else "B") + cursor[n + 1 :] for n in range(len(cursor) - 1)]
    bad += [cursor[:n] for n in range(len(cursor))] + ["", "=", "%00", "张", "x" * 3000, cursor + "AAAA", " " + cursor]
    for changed in bad:
        with pytest.raises(BadRequest) as refusal:
            CURSORS.decode("roster 1", changed, tuple[str, int])
        assert refusal.value.code == "cursor-malformed" and refusal.value.status == 400


def test_a_cursor_of_another_query_key_or_shape_is_refused() -> None:
    cursor = CURSORS.encode("roster 1", ("name", 17))
    for cursors, query, shape in (
        (CURSORS, "roster 2", tuple[str, int]),
        (Cursors(b"x" * 32), "roster 1", tuple[str, int]),
        (CURSORS, "roster 1", tuple[int, int]),
        (CURSORS, "roster 1", tuple[str]),
    ):
        with pytest.raises(BadRequest):
            cursors.decode(query, cursor, shape)


def test_a_tag_differs_with_content_and_with_the_scope_of_the_reader() -> None:
    tags = {
        etag("all", "a"),
        etag("all", "b"),
        etag("unit 7", "a"),
        etag("all", "a", ""),
        etag("al", "la"),
        etag("all", "a", weak=True),
    }
    assert len(tags) == 6 and etag("all", "a") == etag("all", b"a")


def test_a_reader_who_has_it_already_gets_304_without_a_body() -> None:
    tag = etag("all", "body")
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = conditional(asking(given), b"body", scope="all", tag=tag)
        assert answer.status_code == 304 and answer.body == b"" and answer.headers["etag"] == tag
    assert not_modified(asking('"x"', tag), tag) and not_modified(asking(tag), f"W/{tag}")
    for given in ('"other"', "", tag.strip('"'), etag("unit 7", "body")):
        answer = conditional(asking(given), b"body", scope="all", tag=tag)
        assert answer.status_code == 200 and answer.body == b"body"
        assert "private" in answer.headers["cache-control"] and "Authorization" in answer.headers["vary"]
