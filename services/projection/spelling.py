"""How a Chinese name is spelt, so that it is found and sorted by pinyin.

A surname may be read otherwise than the same character elsewhere: 单 Shan, 仇 Qiu, 解 Xie. And it makes no word with the
given name: 殷红文 is Yin, where 殷红, the colour, is read yan.
"""

from dataclasses import dataclass
from functools import lru_cache

_SURNAMES = {
    "单": "shan", "仇": "qiu", "解": "xie", "曾": "zeng", "任": "ren", "查": "zha", "区": "ou", "朴": "piao",
    "盖": "ge", "缪": "miao", "翟": "zhai", "宁": "ning", "华": "hua", "员": "yun", "召": "shao", "冼": "xian",
    "洗": "xian", "种": "chong", "秘": "bi", "折": "she", "黑": "he", "纪": "ji", "葛": "ge", "过": "guo",
    "燕": "yan", "应": "ying", "乐": "yue", "覃": "qin", "尉": "wei", "祭": "zhai", "繁": "po", "车": "che",
    "曲": "qu", "逄": "pang", "郗": "xi", "都": "du", "那": "na", "哈": "ha", "能": "nai", "訾": "zi", "隗": "wei",
    "佴": "nai", "牟": "mou", "石": "shi", "沈": "shen", "盛": "sheng", "柏": "bai", "薄": "bo", "卜": "bu",
    "阚": "kan", "呙": "guo", "瞿": "qu", "幺": "yao", "适": "kuo", "教": "jiao", "重": "chong", "强": "qiang",
    "万俟": "mo qi", "尉迟": "yu chi", "长孙": "zhang sun", "单于": "chan yu", "澹台": "tan tai", "令狐": "ling hu",
    "夏侯": "xia hou", "宇文": "yu wen", "皇甫": "huang fu", "中行": "zhong hang",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spelt:
    """``spelt`` has a blank between syllables (it sorts by syllable), ``initials`` are their first letters; both
    lower-case: 单田芳 is ``shan tian fang`` and ``stf``. ü is written v."""

    spelt: str
    initials: str


def spell(name: str) -> Spelt:
    """The spelling of a person's name; what is not Chinese stays as it is, in lower case."""
    name = name.strip()
    surname = next((name[:length] for length in (2, 1) if name[:length] in _SURNAMES and len(name) > length), "")
    if not surname and len(name) > 1 and "\u4e00" <= name[0] <= "\u9fff":
        surname = name[0]
    read = [_SURNAMES[surname]] if surname in _SURNAMES else _read(surname)
    syllables = [part for whole in (*read, *_read(name[len(surname) :])) for part in whole.split()]
    return Spelt(" ".join(syllables), "".join(part[0] for part in syllables))


@lru_cache(maxsize=4096)
def _read(text: str) -> list[str]:
    """Given names recur, and one takes 80 us: a seventh of what a person costs the read models."""
    # Its dictionary takes 54 MB, and of the processes that import this module only the worker ever spells.
    from pypinyin import Style, lazy_pinyin

    return [part.strip().lower() for part in lazy_pinyin(text, style=Style.NORMAL, v_to_u=False)]
