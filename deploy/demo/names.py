"""Invented names of people and places. Whoever or whatever bears one of them outside the demo does so by chance."""

import random
from typing import Final

DISTRICT: Final = "清禾区"
CITY: Final = "禾川市"

_SURNAMES: Final = "王李张刘陈杨黄赵周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
_GIVEN_FIRST: Final = "禾溪岚桐砚舟棠苇芷樵牧野垄畔汀渚渔笙"
_GIVEN_SECOND: Final = "生远清宁平安和田青朗立言行知之"

TOWNSHIPS: Final = (
    ("白鹭", "街道"),
    ("望江", "街道"),
    ("枣园", "街道"),
    ("新桥", "街道"),
    ("石鼓", "镇"),
    ("青竹", "镇"),
    ("双槐", "镇"),
    ("龙潭", "镇"),
    ("花溪", "镇"),
    ("大垭", "镇"),
    ("柏林", "镇"),
    ("东岳", "镇"),
    ("官渡", "镇"),
    ("梨树", "镇"),
    ("红旗", "场"),
    ("凤凰湖", "管理处"),
)
"""The 16 township-level units: stem and kind."""

_PLACE_FIRST: Final = "青石杨柳枫桂松竹梅李桃杏枣荷莲泉井溪塘坝岭坪湾"
_PLACE_SECOND: Final = "桥塘湾坡垭沟坪岩梁堰寨庙林园口井坝河田山岗台亭"
_COMMUNITIES: Final = ("和平", "朝阳", "建设", "滨河", "文昌", "幸福", "新华", "东升", "西苑", "南屏", "北辰", "翠湖")
_FIRMS: Final = ("瑞", "恒", "鼎", "丰", "源", "盛", "达", "隆", "嘉", "创", "宏", "锦")
_TRADES: Final = ("食品", "机械", "建材", "纺织", "电子", "农业", "物流", "包装", "家具", "化工", "医药", "商贸")

DEPARTMENTS: Final = (
    "区委组织部 区委办公室 区政府办公室 区委宣传部 区委统战部 区委政法委 区纪委监委 区委编办 区委老干部局 区直机关工委 "
    "区人大办 区政协办 区法院 区检察院 区公安分局 区司法局 区教育局 区卫生健康局 区财政局 区发展和改革局 区农业农村局 "
    "区林业局 区水务局 区交通运输局 区住房和城乡建设局 区自然资源局 区生态环境局 区人力资源和社会保障局 区民政局 "
    "区商务局 区文化广播电视局 区审计局 区统计局 区应急管理局 区市场监督管理局 区退役军人事务局 区医疗保障局 "
    "区行政审批局 区信访局 区档案馆 区党校 区总工会 团区委 区妇联 区科协 区残联 区红十字会 区工商联 区供销社 "
    "区机关事务中心 区融媒体中心 区乡村振兴局 区经济和信息化局 区国资中心 区税务局 区气象局 区人民医院 区中医医院 "
    "区疾控中心 区城管执法局"
).split()
CITY_DEPARTMENTS: Final = (
    "市委组织部 市委政法委 市公安局 市司法局 市教育局 市卫生健康委 市农业农村局 市财政局 市中心医院 市第一中学"
).split()


def person(chance: random.Random) -> str:
    """An invented name: a common surname, and two characters that nobody of note has together."""
    return chance.choice(_SURNAMES) + chance.choice(_GIVEN_FIRST) + chance.choice(_GIVEN_SECOND)


def village(number: int) -> str:
    """The name of the village of that number; 529 different ones, then with an ordinal."""
    ordinal, place = divmod(number, len(_PLACE_FIRST) * len(_PLACE_SECOND))
    first, second = divmod(place, len(_PLACE_SECOND))
    return f"{_PLACE_FIRST[first]}{_PLACE_SECOND[second]}{_ordinal(ordinal)}村"


def community(number: int) -> str:
    ordinal, place = divmod(number, len(_COMMUNITIES))
    return f"{_COMMUNITIES[place]}{_ordinal(ordinal)}社区"


def firm(number: int) -> str:
    rest, trade = divmod(number, len(_TRADES))
    ordinal, pair = divmod(rest, len(_FIRMS) ** 2)
    first, second = divmod(pair, len(_FIRMS))
    return f"清禾{_FIRMS[first]}{_FIRMS[second]}{_ordinal(ordinal)}{_TRADES[trade]}有限公司"


def _ordinal(number: int) -> str:
    return "" if number == 0 else "".join("零一二三四五六七八九"[int(digit)] for digit in str(number + 1))
