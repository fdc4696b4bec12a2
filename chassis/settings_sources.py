"""Where settings come from, and how a mistake in them is told: one sentence each, with the remedy, never the value."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

PREFIX = "XIAPAI_"
_FOLDER = "XIAPAI_SECRETS"
_DEFAULT_FOLDER = "/run/secrets"
_LARGEST = 65_536

S = TypeVar("S", bound=BaseSettings)


class SettingsMistake(Exception):
    """One or more mistakes in the settings, a line each: what is wrong and the remedy. Print it and exit with 2."""


def variable(name: str) -> str:
    """`kafka_user` -> `XIAPAI_KAFKA_USER`."""
    return PREFIX + name.upper()


class SecretFiles(PydanticBaseSettingsSource):
    """Settings from files: `XIAPAI_X_FILE`, else `xiapai_x` in the secrets folder. A final line break is not part."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        named = os.environ.get(f"{variable(field_name)}_FILE")
        path = Path(named) if named else Path(os.environ.get(_FOLDER, _DEFAULT_FOLDER)) / variable(field_name).lower()
        if not named and not path.is_file():
            return None, field_name, False
        try:
            with path.open(encoding="utf-8") as file:
                text = file.read(_LARGEST)
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsMistake(
                f"{variable(field_name)}_FILE names {path}, which cannot be read ({type(error).__name__}); "
                "check the path and its rights"
            ) from None
        return text.removesuffix("\n").removesuffix("\r"), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {}
        for name, field in self.settings_cls.model_fields.items():
            if variable(name) not in os.environ:
                value, _, _ = self.get_field_value(field, name)
                if value is not None:
                    values[name] = value
        return values


def checked(kind: type[S], overrides: Mapping[str, Any]) -> S:
    """Make the settings; SettingsMistake with one sentence for each mistake, misspelt variables included."""
    found = _misspelt(kind)
    try:
        settings = kind(**dict(overrides))
    except ValidationError as error:
        raise SettingsMistake(
            "\n".join(found + [_sentence(kind, e) for e in error.errors(include_input=False)])
        ) from None
    if found:
        raise SettingsMistake("\n".join(found))
    return settings


def _misspelt(kind: type[BaseSettings]) -> list[str]:
    known = {variable(name) for name in kind.model_fields}
    known |= {f"{name}_FILE" for name in known} | {_FOLDER, "XIAPAI_TOKEN", "XIAPAI_URL"}
    found = []
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known and not name.startswith("XIAPAI_TEST_"):
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if near:
                found.append(f"{name} is not a setting; write {near[0]}, or remove it")
    return found


def _sentence(kind: type[BaseSettings], error: Mapping[str, Any]) -> str:
    name = str(error["loc"][0]) if error["loc"] else "?"
    field = kind.model_fields.get(name)
    meaning = f" ({field.description})" if field is not None and field.description else ""
    wrong = str(error["msg"])
    return f"{variable(name)} is wrong: {wrong[0].lower()}{wrong[1:]}; correct it{meaning}"
