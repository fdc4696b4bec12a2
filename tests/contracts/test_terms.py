"""Every word of the programme has one Chinese word."""

import ast
import inspect
from enum import StrEnum

from xiapai_contracts import terms

SETS = [
    kind for _, kind in inspect.getmembers(terms, inspect.isclass) if issubclass(kind, StrEnum) and kind is not StrEnum
]


def test_every_word_has_its_chinese() -> None:
    assert [word for kind in SETS for word in kind if word not in terms.ZH] == []


def test_a_word_is_spelt_as_it_is_named() -> None:
    assert [word for kind in SETS for word in kind if word.name != word.value] == []


def test_a_word_that_stands_in_two_sets_has_one_chinese_word() -> None:
    """Words of equal text are equal keys, so that of two entries the second would silently win."""
    said: dict[str, set[object]] = {}
    for node in ast.walk(ast.parse(inspect.getsource(terms))):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Attribute) and isinstance(value, ast.Constant):
                    said.setdefault(key.attr, set()).add(value.value)
    assert len(said) == len(terms.ZH)
    assert {word: chinese for word, chinese in said.items() if len(chinese) != 1} == {}


def test_the_programme_has_thirteen_categories() -> None:
    assert sum(len(categories) for categories in terms.CATEGORIES.values()) == 13
