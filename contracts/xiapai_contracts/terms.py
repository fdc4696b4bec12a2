"""The words of the programme, as closed sets. The Chinese word of each stands in :data:`ZH` (source: the glossary)."""

from enum import StrEnum


class UnitKind(StrEnum):
    """What kind of unit it is (单位类别)."""

    SUBDISTRICT = "SUBDISTRICT"
    TOWN = "TOWN"
    FARM = "FARM"
    MANAGEMENT_OFFICE = "MANAGEMENT_OFFICE"
    VILLAGE = "VILLAGE"
    COMMUNITY = "COMMUNITY"
    SCHOOL = "SCHOOL"
    TOWNSHIP_HOSPITAL = "TOWNSHIP_HOSPITAL"
    VILLAGE_CLINIC = "VILLAGE_CLINIC"
    ENTERPRISE = "ENTERPRISE"
    DEVELOPMENT_ZONE = "DEVELOPMENT_ZONE"
    DISTRICT_DEPARTMENT = "DISTRICT_DEPARTMENT"
    CITY_DEPARTMENT = "CITY_DEPARTMENT"


TOWNSHIP_LEVEL = frozenset({UnitKind.SUBDISTRICT, UnitKind.TOWN, UnitKind.FARM, UnitKind.MANAGEMENT_OFFICE})
"""街镇场处: the kinds of unit at the level of a township."""


class Tier(StrEnum):
    """Who sent the cadre (层级)."""

    CITY = "CITY"
    DISTRICT = "DISTRICT"


class Category(StrEnum):
    """In what capacity a cadre is posted (类别). Four are city-sent, nine district-sent (:data:`CATEGORIES`)."""

    RURAL_GUIDE = "RURAL_GUIDE"
    PUBLIC_ORDER_ENVOY = "PUBLIC_ORDER_ENVOY"
    SUPPORT_DOCTOR = "SUPPORT_DOCTOR"
    SUPPORT_TEACHER = "SUPPORT_TEACHER"
    PARTY_LIAISON = "PARTY_LIAISON"
    COMMUNITY_POLICE = "COMMUNITY_POLICE"
    LEGAL_VICE_PRINCIPAL = "LEGAL_VICE_PRINCIPAL"
    ENTERPRISE_LEADER = "ENTERPRISE_LEADER"
    ENTERPRISE_LIAISON = "ENTERPRISE_LIAISON"
    TWO_WAY_EXCHANGE = "TWO_WAY_EXCHANGE"


CATEGORIES: dict[Tier, tuple[Category, ...]] = {
    Tier.CITY: (Category.RURAL_GUIDE, Category.PUBLIC_ORDER_ENVOY, Category.SUPPORT_DOCTOR, Category.SUPPORT_TEACHER),
    Tier.DISTRICT: (
        Category.RURAL_GUIDE,
        Category.PARTY_LIAISON,
        Category.COMMUNITY_POLICE,
        Category.LEGAL_VICE_PRINCIPAL,
        Category.SUPPORT_DOCTOR,
        Category.SUPPORT_TEACHER,
        Category.ENTERPRISE_LEADER,
        Category.ENTERPRISE_LIAISON,
        Category.TWO_WAY_EXCHANGE,
    ),
}
"""The 13 categories, in the order of the situation report (figures 2-5 and 7-15)."""


class Mode(StrEnum):
    """Whether the home post is kept (挂职) or the cadre is transferred (任职)."""

    SECONDMENT = "SECONDMENT"
    APPOINTMENT = "APPOINTMENT"


class Rank(StrEnum):
    """Rank of a cadre (职级; after GB/T 12407, with the programme's own groups)."""

    DISTRICT_LEADER = "DISTRICT_LEADER"
    DIVISION_HEAD = "DIVISION_HEAD"
    DEPUTY_DIVISION_HEAD = "DEPUTY_DIVISION_HEAD"
    SECTION_HEAD = "SECTION_HEAD"
    DEPUTY_SECTION_HEAD = "DEPUTY_SECTION_HEAD"
    MIDDLE_MANAGER = "MIDDLE_MANAGER"
    STAFF = "STAFF"
    PROFESSIONAL = "PROFESSIONAL"
    OTHER = "OTHER"


class Sex(StrEnum):
    """性别."""

    MALE = "MALE"
    FEMALE = "FEMALE"


class EndReason(StrEnum):
    """Why a posting ended (结束原因)."""

    TERM_COMPLETED = "TERM_COMPLETED"
    RECALLED = "RECALLED"
    ENDED_EARLY = "ENDED_EARLY"


class ExchangeDirection(StrEnum):
    """Which way a two-way exchange goes (交流方向)."""

    TO_GRASSROOTS = "TO_GRASSROOTS"
    TO_DEPARTMENT = "TO_DEPARTMENT"


class RecallGround(StrEnum):
    """Why a cadre may be recalled (the programme's list of grounds)."""

    NOT_RELEASED_BY_SENDER = "NOT_RELEASED_BY_SENDER"
    UNFIT = "UNFIT"
    MISCONDUCT = "MISCONDUCT"
    HEALTH = "HEALTH"
    ORGANISATION_NEEDS = "ORGANISATION_NEEDS"
    OTHER = "OTHER"


class Subject(StrEnum):
    """What a reminder is about (提醒事项): a three-party report, or an ability baseline."""

    REPORT_DUE = "REPORT_DUE"
    BASELINE_DUE = "BASELINE_DUE"


# A word of two sets (OTHER) is one key here, since a StrEnum equals its text; both must then have the same Chinese.
ZH: dict[StrEnum, str] = {
    UnitKind.SUBDISTRICT: "街道",
    UnitKind.TOWN: "镇",
    UnitKind.FARM: "场",
    UnitKind.MANAGEMENT_OFFICE: "管理处",
    UnitKind.VILLAGE: "行政村",
    UnitKind.COMMUNITY: "社区",
    UnitKind.SCHOOL: "中小学",
    UnitKind.TOWNSHIP_HOSPITAL: "乡镇医院",
    UnitKind.VILLAGE_CLINIC: "村医务室",
    UnitKind.ENTERPRISE: "企业",
    UnitKind.DEVELOPMENT_ZONE: "开发区",
    UnitKind.DISTRICT_DEPARTMENT: "区直部门",
    UnitKind.CITY_DEPARTMENT: "市直部门",
    Tier.CITY: "市派",
    Tier.DISTRICT: "区派",
    Category.RURAL_GUIDE: "农村工作指导员",
    Category.PUBLIC_ORDER_ENVOY: "综治特派员",
    Category.SUPPORT_DOCTOR: "支医医生",
    Category.SUPPORT_TEACHER: "支教教师",
    Category.PARTY_LIAISON: "社区党建联络员",
    Category.COMMUNITY_POLICE: "社区民警",
    Category.LEGAL_VICE_PRINCIPAL: "法制副校长",
    Category.ENTERPRISE_LEADER: "联系企业区领导",
    Category.ENTERPRISE_LIAISON: "区领导联系企业的联络员",
    Category.TWO_WAY_EXCHANGE: "双向交流",
    Mode.SECONDMENT: "挂职",
    Mode.APPOINTMENT: "任职",
    Rank.DISTRICT_LEADER: "区级领导",
    Rank.DIVISION_HEAD: "正处级",
    Rank.DEPUTY_DIVISION_HEAD: "副处级",
    Rank.SECTION_HEAD: "正科级",
    Rank.DEPUTY_SECTION_HEAD: "副科级",
    Rank.MIDDLE_MANAGER: "机关中层",
    Rank.STAFF: "科员",
    Rank.PROFESSIONAL: "专业技术",
    Rank.OTHER: "其他",
    Sex.MALE: "男",
    Sex.FEMALE: "女",
    EndReason.TERM_COMPLETED: "期满",
    EndReason.RECALLED: "召回",
    EndReason.ENDED_EARLY: "提前结束",
    ExchangeDirection.TO_GRASSROOTS: "机关到基层",
    ExchangeDirection.TO_DEPARTMENT: "基层到机关",
    RecallGround.NOT_RELEASED_BY_SENDER: "原单位工作不能脱钩",
    RecallGround.UNFIT: "不适宜在派驻岗位工作",
    RecallGround.MISCONDUCT: "违反纪律",
    RecallGround.HEALTH: "健康原因",
    RecallGround.ORGANISATION_NEEDS: "组织工作需要",
    RecallGround.OTHER: "其他",
    Subject.REPORT_DUE: "三方汇报到期",
    Subject.BASELINE_DUE: "能力基线到期",
}
