"""One catalogue of the sentences that people read: code -> (Chinese, English).

A sentence says first what is the matter and then the next step, so it has at least two sentences in both languages.
`{name}` is replaced by a parameter; nothing else is interpreted, so that a parameter can never format or reach into
an object.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

Texts = Mapping[str, tuple[str, str]]

CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_FIELD = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_LONGEST_PARAMETER = 200


@dataclass(frozen=True, slots=True)
class Sentence:
    """What one code says, its parameters filled in. `title_*` is the first sentence without parameters."""

    code: str
    title_zh: str
    title_en: str
    zh: str
    en: str


class Catalogue:
    """The texts of an application, merged. Two texts for one code are a mistake of the program: ValueError at start."""

    def __init__(self, *texts: Texts) -> None:
        self._texts: dict[str, tuple[str, str]] = {}
        for part in texts:
            for code, pair in part.items():
                if self._texts.setdefault(code, pair) != pair:
                    raise ValueError(f"two texts for the code {code}")

    def __contains__(self, code: str) -> bool:
        return code in self._texts

    def codes(self) -> list[str]:
        """Every code, sorted."""
        return sorted(self._texts)

    def template(self, code: str) -> tuple[str, str] | None:
        """The unfilled texts of a code, or None."""
        return self._texts.get(code)

    def say(self, code: str, /, **params: object) -> Sentence:
        """The sentence of a code. An unknown code still gives a sentence: a missing text must not hide a refusal."""
        zh, en = self._texts.get(code, _UNKNOWN)
        values = {"code": code} | params
        return Sentence(
            code=code,
            title_zh=_without_parameters(_first_sentence_zh(zh)),
            title_en=_without_parameters(_first_sentence_en(en)),
            zh=fill(zh, values),
            en=fill(en, values),
        )


_UNKNOWN = (
    "请求未被接受({code})。请把这个代码告诉系统管理员。",
    "The request was not accepted ({code}). Please tell this code to the operator.",
)


def fill(template: str, params: Mapping[str, object]) -> str:
    """Replace `{name}` by the parameter's text, one line and at most 200 characters; a missing one shows as `?`."""

    def value(match: re.Match[str]) -> str:
        text = _UNPRINTABLE.sub(" ", str(params.get(match[1], "?")))
        return text if len(text) <= _LONGEST_PARAMETER else text[:_LONGEST_PARAMETER] + "…"

    return _FIELD.sub(value, template)


def mistakes(texts: Texts) -> list[str]:
    """What is wrong with a table of texts, one line each; a test of every `texts.py` asserts that this is empty."""
    found = []
    for code, (zh, en) in texts.items():
        if not CODE.match(code):
            found.append(f"{code}: a code is lower-case words joined by hyphens")
        if set(_FIELD.findall(zh)) != set(_FIELD.findall(en)):
            found.append(f"{code}: the two languages have different parameters")
        if not re.search(r"[\u4e00-\u9fff]", zh):
            found.append(f"{code}: the first text is not Chinese")
        if re.search(r"[\u4e00-\u9fff]", _FIELD.sub("", en)):
            found.append(f"{code}: the second text is not English")
        if _first_sentence_zh(zh) == zh.strip() or _first_sentence_en(en) == en.strip():
            found.append(f"{code}: says no next step (one sentence only)")
    return found


def _first_sentence_zh(text: str) -> str:
    head = re.match(r".*?[。!?！？](?=.)", text)
    return (head[0] if head else text).strip()


def _first_sentence_en(text: str) -> str:
    head = re.match(r".*?[.!?](?=\s)", text)
    return (head[0] if head else text).strip()


def _without_parameters(sentence: str) -> str:
    return re.sub(r"\s+([.。,，])", r"\1", _FIELD.sub("…", sentence)).rstrip("。.")
