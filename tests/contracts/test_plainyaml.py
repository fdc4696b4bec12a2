"""What the small YAML writer writes, a real YAML reader reads back as it was."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from xiapai_contracts.plainyaml import dump

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        "yes",
        "No",
        "null",
        "~",
        "1",
        "1.0",
        "0x1F",
        "2026-07-01",
        "a: b",
        "- a",
        "# a",
        "a #b",
        "|",
        "派 驻",
        "a\nb",
        "a\n b\n",
        "?",
    ]
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_data_comes_back_as_it_was(value: Any) -> None:
    assert yaml.safe_load(dump(value)) == value


@pytest.mark.parametrize(
    "word", ["true", "off", "12", "1e3", "1_000", ".inf", "2026-07-01", "12:30:45", "", " a", "a:", "=", "<<"]
)
def test_text_that_looks_like_something_else_stays_text(word: str) -> None:
    assert yaml.safe_load(dump({word: [word, {word: word}]})) == {word: [word, {word: word}]}
