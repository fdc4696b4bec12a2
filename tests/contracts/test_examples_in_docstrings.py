"""The examples in the docstrings are true."""

import doctest
from types import ModuleType

import pytest
import xiapai_contracts
from xiapai_contracts import published


@pytest.mark.parametrize("module", [xiapai_contracts, published], ids=lambda module: module.__name__)
def test_it_says_what_it_does(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
