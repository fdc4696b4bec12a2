"""The development issuer's pages: choose whom to be. No script, nothing fetched."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby

from chassis.identity.demo_people import DemoPerson
from chassis.identity.principal import ROLE_NAMES, Role

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.6 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;margin:0 auto;max-width:44rem;
padding:1rem}
h1{font-size:1.3rem;margin:.5rem 0 0}h2{font-size:1rem;margin:1.2rem 0 .4rem;opacity:.75}small{opacity:.7}
.people{display:grid;gap:.5rem;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr))}
button{font:inherit;width:100%;text-align:left;padding:.6rem .8rem;border:1px solid #8886;border-radius:.5rem;
background:#8881;cursor:pointer}
button:hover,button:focus-visible{border-color:#1668dc;outline:2px solid #1668dc55}
button b,button small{display:block}form{margin:0}
.own{display:grid;gap:.5rem;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr))}
.own label{display:block}.own input,.own select{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}
"""


def choice_page(people: Sequence[DemoPerson], asked: Mapping[str, str]) -> str:
    """The page of demo people; `asked` is the authorization request, which each button carries on."""
    hidden = "".join(f'<input type="hidden" name="{escape(n)}" value="{escape(v)}">' for n, v in asked.items())
    order = list(Role)
    sections = []
    for role, group in groupby(sorted(people, key=lambda one: order.index(one.role)), key=lambda one: one.role):
        zh, en = ROLE_NAMES[role]
        buttons = "".join(
            f'<form method="post" action="authorize">{hidden}<button name="subject" value="{escape(one.subject)}">'
            f"<b>{escape(one.name)}</b><small>{escape(one.about or zh)}</small></button></form>"
            for one in group
        )
        sections.append(
            f'<h2>{escape(zh)} <small lang="en">{escape(en)}</small></h2><div class="people">{buttons}</div>'
        )
    roles = "".join(f'<option value="{role.value}">{escape(ROLE_NAMES[role][0])}</option>' for role in Role)
    own = (
        f'<form class="own" method="post" action="authorize">{hidden}'
        f'<label>角色 <small lang="en">role</small><select name="role">{roles}</select></label>'
        '<label>单位代码 <small lang="en">unit</small><input name="unit" autocomplete="off"></label>'
        '<label>类别 <small lang="en">categories</small><input name="categories" autocomplete="off"></label>'
        '<label>人员编号 <small lang="en">person</small><input name="person" autocomplete="off"></label>'
        "<button>以此身份登录 Log in as this</button></form>"
    )
    intro = "<p>演示环境,人员均为虚构,点选即登录。 <small lang='en'>Development only; all invented. Click to log in.</small></p>"
    return _page("选择登录身份", intro + "".join(sections) + "<h2>其他身份 <small lang='en'>another</small></h2>" + own)


def mistake_page(text: str) -> str:
    """One sentence, with the next step."""
    return _page("无法登录", f"<p>{escape(text)}</p>")


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width,initial-scale=1"><title>{escape(title)}</title><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
