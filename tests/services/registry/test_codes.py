"""Codes of units and persons (GB 32100, GB 11643)."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.codes import (
    CREDIT_ALPHABET,
    BadCode,
    credit_code,
    division_code,
    half_width,
    identity_number,
    make_credit_code,
    make_identity_number,
    phone_number,
)


def refusal(code: str, *arguments: object) -> str:
    check = {"uscc": credit_code, "identity": identity_number}[code]
    with pytest.raises(BadCode) as caught:
        check(*arguments)  # type: ignore[arg-type]
    return caught.value.code


def test_the_codes_of_the_demo_district_hold() -> None:
    assert credit_code("119901179A00000103") == "119901179A00000103"
    assert identity_number("990117197803150015", date(1978, 3, 15)) == "990117197803150015"
    assert identity_number("99011719820607002X", date(1982, 6, 7)) == "99011719820607002X"


def test_full_width_characters_small_letters_and_stray_blanks_are_read() -> None:
    assert credit_code(" １１９９０１１７９ａ\u3000００００ ０１０３\u00a0") == "119901179A00000103"
    assert identity_number("990117 19820607 002ｘ") == "99011719820607002X"
    assert half_width("ＡＢ１（x）\u3000") == "AB1(x) "


def test_a_credit_code_is_refused_by_what_is_wrong_with_it() -> None:
    assert refusal("uscc", "119901179A0000010") == "uscc-length"
    assert refusal("uscc", "119901179A0000010I") == "uscc-alphabet"
    assert refusal("uscc", "119901179A00000104") == "uscc-check-digit"


def test_an_identity_number_is_refused_by_what_is_wrong_with_it() -> None:
    assert refusal("identity", "99011719780315001") == "identity-length"
    assert refusal("identity", "9901171978031500X5") == "identity-alphabet"
    assert refusal("identity", "990117197802300015") == "identity-birth-date"
    assert refusal("identity", "990117197803150016") == "identity-check-digit"
    assert refusal("identity", "990117197803150015", date(1978, 3, 16)) == "identity-birth-date-differs"


def test_a_refusal_never_repeats_the_number() -> None:
    with pytest.raises(BadCode) as caught:
        identity_number("990117197803150016")
    assert "990117" not in str(caught.value) + repr(caught.value)


def test_divisions_are_six_digits_and_phones_seven_or_more() -> None:
    assert division_code("９９０１１７") == "990117"
    assert phone_number("0826-233 0000") == "08262330000"
    for check, bad in (
        (division_code, "99011"),
        (division_code, "99O117"),
        (phone_number, "12345"),
        (phone_number, "无"),
    ):
        with pytest.raises(BadCode):
            check(bad)


@given(st.text(CREDIT_ALPHABET, min_size=17, max_size=17), st.integers(0, 17), st.sampled_from(CREDIT_ALPHABET))
def test_every_change_of_one_character_of_a_credit_code_is_seen(body: str, at: int, other: str) -> None:
    code = make_credit_code(body)
    assert credit_code(code) == code
    changed = code[:at] + other + code[at + 1 :]
    if changed != code:
        assert refusal("uscc", changed) == "uscc-check-digit"


@given(
    st.dates(date(1900, 1, 1), date(2025, 12, 31)),
    st.integers(0, 999),
    st.integers(14, 16),
    st.sampled_from("0123456789"),
)
def test_every_change_of_one_digit_of_an_identity_number_is_seen(
    born: date, sequence: int, at: int, other: str
) -> None:
    number = make_identity_number("990117", born, sequence)
    assert identity_number(number, born) == number
    changed = number[:at] + other + number[at + 1 :]
    if changed != number:
        assert refusal("identity", changed) == "identity-check-digit"
