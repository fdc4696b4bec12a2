"""Personal fields are sealed under a key of their person, and any change shows."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.keys import KeyFileMistake, derive, load_key, load_or_make_key
from chassis.seal import Kek, SealBroken, new_key, open_sealed, seal

KEK = Kek(bytes(range(32)))
FIELDS = {"name": "单雄", "identity_number": "990117197803150015", "phone": None}


def changed_everywhere(text: str) -> list[str]:
    """The text with each character exchanged, each left out, and with one more."""
    other = [text[:n] + ("A" if text[n] != "A" else "B") + text[n + 1 :] for n in range(len(text))]
    return other + [text[:n] + text[n + 1 :] for n in range(len(text))] + [text + "A", text + "=", " " + text, ""]


@given(st.dictionaries(st.text(max_size=20), st.none() | st.text(max_size=60), max_size=6), st.text(max_size=40))
def test_what_was_sealed_opens_again(fields: dict[str, str | None], person: str) -> None:
    key = new_key()
    assert open_sealed(key, person, seal(key, person, fields)) == fields


def test_the_sealed_text_is_ascii_says_its_algorithm_and_never_repeats() -> None:
    key = new_key()
    first, second = seal(key, "p-1", FIELDS), seal(key, "p-1", FIELDS)
    assert first.isascii() and first.startswith("A256GCM.") and first != second


def test_every_change_of_a_sealed_text_is_noticed() -> None:
    key = new_key()
    for changed in changed_everywhere(seal(key, "p-1", FIELDS)):
        with pytest.raises(SealBroken) as broken:
            open_sealed(key, "p-1", changed)
        assert "单雄" not in str(broken.value) and broken.value.__cause__ is None


def test_a_sealed_text_belongs_to_its_person_and_key() -> None:
    key = new_key()
    sealed = seal(key, "p-1", FIELDS)
    for other_key, person in ((key, "p-2"), (new_key(), "p-1")):
        with pytest.raises(SealBroken):
            open_sealed(other_key, person, sealed)


def test_a_wrapped_key_opens_for_its_person_alone() -> None:
    key = new_key()
    wrapped = KEK.wrap("p-1", key)
    assert KEK.unwrap("p-1", wrapped) == key and key.hex() not in wrapped
    with pytest.raises(SealBroken):
        KEK.unwrap("p-2", wrapped)
    for changed in changed_everywhere(wrapped):
        with pytest.raises(SealBroken):
            KEK.unwrap("p-1", changed)


def test_another_key_encryption_key_is_named() -> None:
    other = Kek(b"x" * 32)
    with pytest.raises(SealBroken, match=f"wrapped by the key-encryption key {KEK.id}, and this is {other.id}"):
        other.unwrap("p-1", KEK.wrap("p-1", new_key()))


def test_equal_numbers_are_found_without_showing_them() -> None:
    number = "990117197803150015"
    assert KEK.blind("identity", number) == KEK.blind("identity", number)
    others = {
        KEK.blind("identity", "99011719820607002X"),
        KEK.blind("phone", number),
        Kek(b"y" * 32).blind("identity", number),
    }
    assert KEK.blind("identity", number) not in others and len(others) == 3
    assert KEK.blind("a", "b:c") != KEK.blind("a:b", "c") and number not in KEK.blind("identity", number)


def test_keys_do_not_show() -> None:
    assert repr(KEK) == f"Kek(id={KEK.id})" and bytes(range(32)).hex()[:12] != KEK.id


def test_a_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "kek"
    key = load_or_make_key(path)
    assert load_or_make_key(path) == key == load_key(path) and len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600 and [p.name for p in path.parent.iterdir()] == ["kek"]
    assert Kek.load(path).id == Kek(key).id


@pytest.mark.parametrize("content", ["", "short", "!" * 43, base64.urlsafe_b64encode(b"x" * 31).decode(), "ö" * 43])
def test_a_spoilt_key_file_is_told_in_a_sentence_with_the_remedy(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kek"
    path.write_text(content)
    with pytest.raises(KeyFileMistake, match=r"the key file .*; (restore|check)"):
        load_key(path)
    with pytest.raises(KeyFileMistake, match="does not exist; make one"):
        load_key(tmp_path / "none")


def test_keys_derived_for_two_purposes_differ() -> None:
    assert derive(b"k" * 32, "a") != derive(b"k" * 32, "b")
