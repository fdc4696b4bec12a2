"""The registry's sentences: every refusal of its deciders, commands and imports. Code -> (Chinese, English)."""

TEXTS: dict[str, tuple[str, str]] = {
    # units
    "unit-unknown": (
        "没有单位 {unit}。请先登记该单位,或检查单位代码。",
        "There is no unit {unit}. Register it first, or check its code.",
    ),
    "unit-already-registered": (
        "单位 {unit} 已登记,内容与此不同。请改用更正、更名或划转。",
        "The unit {unit} is registered already, and otherwise. Correct, rename or move it instead.",
    ),
    "unit-merged": (
        "单位 {unit} 已并入 {into}。请改在 {into} 上办理。",
        "The unit {unit} was merged into {into}. Do this with {into} instead.",
    ),
    "unit-closed": (
        "单位 {unit} 已撤销。请检查单位代码;记录有误时用更正。",
        "The unit {unit} is closed. Check its code, or correct the record if it is wrong.",
    ),
    "unit-name-missing": (
        "单位 {unit} 没有名称。请填写单位名称。",
        "The unit {unit} has no name. Fill in its name.",
    ),
    "parent-unknown": (
        "没有上级单位 {parent}。请先登记上级单位,或检查代码。",
        "There is no parent unit {parent}. Register it first, or check the code.",
    ),
    "parent-merged": (
        "上级单位 {parent} 已并入 {into}。请改挂在 {into} 之下。",
        "The parent {parent} was merged into {into}. Put the unit beneath {into} instead.",
    ),
    "parent-closed": (
        "上级单位 {parent} 已撤销。请改挂在现有的单位之下。",
        "The parent {parent} is closed. Put the unit beneath one that exists.",
    ),
    "unit-is-its-own-parent": (
        "上级单位不能是本单位({unit})。请填写真正的上级,或留空。",
        "A unit ({unit}) cannot be its own parent. Name the real parent, or none.",
    ),
    "unit-tree-cycle": (
        "{parent} 在 {unit} 之下,不能作它的上级。请先调整 {parent} 的位置。",
        "{parent} lies beneath {unit} and cannot be its parent. Move {parent} first.",
    ),
    "successor-unknown": (
        "没有并入的单位 {into}。请先登记它,或检查代码。",
        "There is no unit {into} to merge into. Register it first, or check the code.",
    ),
    "successor-merged": (
        "单位 {into} 自己已被合并。请并入它的后继单位。",
        "The unit {into} was itself merged. Merge into its successor instead.",
    ),
    "successor-closed": (
        "单位 {into} 已撤销,不能并入。请选择现有的单位。",
        "The unit {into} is closed. Merge into a unit that exists.",
    ),
    "unit-merged-into-itself": (
        "单位 {unit} 不能并入自己。请填写另一个单位。",
        "The unit {unit} cannot be merged into itself. Name another unit.",
    ),
    "successor-lies-beneath": (
        "{into} 在 {unit} 之下,不能并入。请先把 {into} 划转出来。",
        "{into} lies beneath {unit}, which cannot be merged into it. Move {into} out first.",
    ),
    "credit-code-taken": (
        "统一社会信用代码已由另一个单位({holder})使用。请核对两个单位的代码。",
        "The unified social credit code belongs to another unit ({holder}). Check the codes of both.",
    ),
    # codes
    "uscc-length": (
        "统一社会信用代码应为 18 位。请核对后再提交。",
        "A unified social credit code has 18 characters. Check it and send it again.",
    ),
    "uscc-alphabet": (
        "统一社会信用代码含有不允许的字符。请核对后再提交(不用 I、O、S、V、Z)。",
        "The unified social credit code has a character outside its alphabet. Check it (I, O, S, V, Z are not used).",
    ),
    "uscc-check-digit": (
        "统一社会信用代码校验位不符。请核对后再提交。",
        "The last character of the unified social credit code does not check. Check it and send it again.",
    ),
    "identity-length": (
        "公民身份号码应为 18 位。请核对后再提交。",
        "A citizen identity number has 18 characters. Check it and send it again.",
    ),
    "identity-alphabet": (
        "公民身份号码含有不允许的字符。请核对后再提交。",
        "The citizen identity number has a character that is not allowed. Check it and send it again.",
    ),
    "identity-birth-date": (
        "公民身份号码中的出生日期不存在。请核对后再提交。",
        "The birth date inside the citizen identity number is no real day. Check it and send it again.",
    ),
    "identity-check-digit": (
        "公民身份号码校验位不符。请核对后再提交。",
        "The last character of the citizen identity number does not check. Check it and send it again.",
    ),
    "identity-birth-date-differs": (
        "公民身份号码中的出生日期与填写的出生日期不一致。请核对其中哪一个有误。",
        "The birth date inside the citizen identity number differs from the one given. Check which of them is wrong.",
    ),
    "division-shape": (
        "行政区划代码应为 6 位数字。请核对后再提交。",
        "An administrative division has 6 digits. Check it and send it again.",
    ),
    "phone-shape": (
        "电话号码应为 7 至 15 位数字。请核对后再提交。",
        "A telephone number has 7 to 15 digits. Check it and send it again.",
    ),
    # persons
    "person-unknown": (
        "没有这个人员编号({person})。请先登记该人员,或检查编号。",
        "There is no person of this number ({person}). Register the person first, or check the number.",
    ),
    "person-erased": (
        "人员 {person} 的信息已删除,编号不再使用。请用新的编号登记。",
        "The record of person {person} was erased, and the number is not used again. Register under a new number.",
    ),
    "person-already-registered": (
        "人员 {person} 已登记,内容与此不同。请改用更正。",
        "Person {person} is registered already, and otherwise. Correct the record instead.",
    ),
    "person-not-a-cadre": (
        "人员 {person} 不是在册干部。请先入册。",
        "Person {person} is not enrolled as a cadre. Enrol them first.",
    ),
    "cadre-already-enrolled": (
        "干部 {person} 已入册,内容与此不同。请改用更正。",
        "Cadre {person} is enrolled already, and otherwise. Correct the record instead.",
    ),
    "name-missing": ("没有填写姓名。请填写后再提交。", "The name is missing. Fill it in and send it again."),
    "erasure-ground-missing": (
        "没有填写删除的理由。请写明依据后再提交。",
        "The ground of the erasure is missing. State it and send it again.",
    ),
    "identity-taken": (
        "这个公民身份号码已登记在另一个人员编号下。请检查是否重复登记。",
        "This identity number is registered under another number. Check whether the person is registered twice.",
    ),
    "contact-erased-too-often": (
        "单位 {unit} 的责任人信息多次删除,无法再登记同名责任人。请联系系统管理员。",
        "The accountable person of {unit} was erased too often to be registered again. Ask the operator.",
    ),
    "duty-missing": ("没有填写职务。请填写后再提交。", "The duty is missing. Fill it in and send it again."),
    "unit-or-name-missing": (
        "单位代码和单位名称都没有填写。请填写其中一项。",
        "Neither the code nor the name of the unit is given. Give one of them.",
    ),
    # postings: what was proposed
    "category-not-of-tier": (
        "该层级({tier})没有这一派驻类别({category})。请检查层级和类别。",
        "This tier ({tier}) has no such category ({category}). Check both.",
    ),
    "ends-before-it-starts": (
        "结束日期早于开始日期。请检查两个日期。",
        "It ends before it starts. Check both dates.",
    ),
    "basis-missing": (
        "没有填写依据文号。请填写派驻所依据的文件。",
        "The basis is missing. Cite the document that the posting rests on.",
    ),
    "direction-missing": (
        "双向交流须填交流方向。请填写机关到基层或基层到机关。",
        "A two-way exchange needs its direction. Say to the grassroots or to a department.",
    ),
    "direction-not-allowed": (
        "只有双向交流才填交流方向。请删去交流方向,或检查类别({category})。",
        "Only a two-way exchange has a direction. Leave it out, or check the category ({category}).",
    ),
    "sender-unknown": (
        "没有派出单位 {unit}。请先登记该单位,或检查代码。",
        "There is no sending unit {unit}. Register it first, or check the code.",
    ),
    "sender-merged": (
        "派出单位 {unit} 在开始日期前已并入 {into}。请改填 {into}。",
        "The sending unit {unit} was merged into {into} before the posting starts. Name {into} instead.",
    ),
    "sender-closed": (
        "派出单位 {unit} 在开始日期前已撤销。请检查单位或日期。",
        "The sending unit {unit} was closed before the posting starts. Check the unit or the dates.",
    ),
    "host-unknown": (
        "没有接收单位 {unit}。请先登记该单位,或检查代码。",
        "There is no host {unit}. Register it first, or check the code.",
    ),
    "host-merged": (
        "接收单位 {unit} 那时已并入 {into}。请改填 {into}。",
        "The host {unit} was merged into {into} by then. Name {into} instead.",
    ),
    "host-closed": (
        "接收单位 {unit} 那时已撤销。请检查单位或日期。",
        "The host {unit} was closed by then. Check the unit or the dates.",
    ),
    "host-kind-not-allowed": (
        "这一类别({category})不能派往 {host}(类别 {kind})。请检查接收单位和派驻类别。",
        "This category ({category}) cannot be posted to {host} (of kind {kind}). Check the host and the category.",
    ),
    "direction-does-not-fit-host": (
        "交流方向({direction})与接收单位 {host}(类别 {kind})不符。请检查方向或接收单位。",
        "The direction ({direction}) does not fit the host {host} (of kind {kind}). Check the one or the other.",
    ),
    "serving-taken": (
        "该干部在这段时间已有派驻({holder}),不能同时派往两处。请调整日期,或先结束那一次派驻。",
        "The cadre holds another posting then ({holder}), and cannot serve at two places at once. Change the dates, or end that posting first.",
    ),
    # postings: what became of it
    "posting-unknown": (
        "没有这个派驻编号。请先提名,或检查编号。",
        "There is no posting of this code. Propose it first, or check the code.",
    ),
    "posting-already-proposed": (
        "派驻 {posting} 已提名,内容或进展与此不同。请用更正,或换一个编号。",
        "The posting {posting} is proposed already, and otherwise. Correct it, or use another code.",
    ),
    "posting-not-approved": (
        "派驻 {posting} 尚未批准。请先批准。",
        "The posting {posting} is not approved yet. Approve it first.",
    ),
    "posting-declined": (
        "派驻 {posting} 未获批准。请用新的编号重新提名。",
        "The posting {posting} was declined. Propose it anew under another code.",
    ),
    "posting-already-approved": (
        "派驻 {posting} 已批准,不能再否决。请改为提前结束。",
        "The posting {posting} is approved already and cannot be declined. End it early instead.",
    ),
    "decline-reason-missing": (
        "不予批准派驻 {posting} 须写明理由。请填写后再提交。",
        "Declining the posting {posting} needs a reason. State it and send it again.",
    ),
    "arrived-outside-the-period": (
        "到岗日期不在派驻期内({starts} 至 {ends})。请检查到岗日期。",
        "The arrival lies outside the posting's period ({starts} to {ends}). Check the day of arrival.",
    ),
    "already-serving": (
        "派驻 {posting} 已于 {arrived} 到岗。日期有误时请用更正。",
        "The cadre of posting {posting} arrived on {arrived} already. Correct the posting if the day is wrong.",
    ),
    "not-serving": (
        "派驻 {posting} 的干部尚未到岗。接收单位填错时请用更正。",
        "The cadre of posting {posting} has not arrived. Correct the posting if its host is wrong.",
    ),
    "extension-not-later": (
        "延期须晚于现在的结束日期({ends})。派驻 {posting} 提前结束请用提前结束。",
        "An extension goes beyond the present end ({ends}). To end the posting {posting} sooner, end it early.",
    ),
    "host-change-outside-the-period": (
        "调整日期不在派驻 {posting} 的在岗期内({arrived} 至 {ends})。请检查日期。",
        "The change lies outside the time in post of {posting} ({arrived} to {ends}). Check the day.",
    ),
    "ended-before-it-starts": (
        "实际结束日期早于开始日期({starts})。请检查日期。",
        "It actually ended before it started ({starts}). Check the day.",
    ),
    "ended-before-arrival": (
        "实际结束日期早于到岗日期({arrived})。请检查日期。",
        "It ended before the cadre arrived ({arrived}). Check the day.",
    ),
    "end-reason-without-end": (
        "填了结束原因,但没有实际结束日期。请补上日期,或删去原因。",
        "There is a reason for the end, but no actual end. Give the day, or leave out the reason.",
    ),
    "end-reason-missing": (
        "填了实际结束日期,但没有结束原因。请补上原因。",
        "There is an actual end, but no reason for it. Give the reason.",
    ),
    "posting-ended": (
        "派驻 {posting} 已结束。记录有误时请用更正。",
        "The posting {posting} has ended. Correct it if the record is wrong.",
    ),
    "posting-not-ended": (
        "派驻 {posting} 尚未结束,不能办结。请先期满、召回或提前结束。",
        "The posting {posting} has not ended and cannot be closed. Complete, recall or end it first.",
    ),
    "posting-closed": (
        "派驻 {posting} 已办结。记录有误时请用更正。",
        "The posting {posting} is closed. Correct it if the record is wrong.",
    ),
    # imports
    "row-twice": (
        "同一个编号在本表中出现多次而内容不同(另见第 {row} 行)。请只保留正确的一行。",
        "The same key stands more than once with different content (see row {row}). Keep the right row alone.",
    ),
    "depends-on-refused": (
        "所引用的{sheet}第 {row} 行未通过。请先改正那一行。",
        "It refers to {sheet}, row {row}, which was refused. Correct that row first.",
    ),
    "units-in-a-circle": (
        "单位的上级关系成环(经过 {parent})。请检查上级单位代码。",
        "The parents of these units form a circle (through {parent}). Check the codes of the parents.",
    ),
    "import-unfinished": (
        "这次导入还没有完成(现为 {state})。请等它完成后再取回执。",
        "This import is not finished (it is {state}). Fetch its back-copy once it is.",
    ),
    "import-upload-gone": (
        "这次导入的原件已过保存期并删除。请重新上传。",
        "The file of this import was removed after its retention. Upload it again.",
    ),
    "import-given-up": (
        "这次导入多次中断,已停止。已导入的行保持有效;请联系系统管理员后重新上传。",
        "This import broke off too often and was stopped. The rows that were imported stand; ask the operator, then upload again.",
    ),
    "import-file-missing": (
        "没有收到文件。请把 xlsx 作为请求体或表单字段 file 上传。",
        "No file was sent. Send the xlsx as the body, or as the form field file.",
    ),
    # asking
    "busy": (
        "同时有太多人在修改同一记录。请稍后用同一个 Idempotency-Key 重试。",
        "Too many are changing the same record at once. Retry later with the same Idempotency-Key.",
    ),
}

CONFLICTS = frozenset(
    {
        "unit-already-registered",
        "unit-merged",
        "unit-closed",
        "person-erased",
        "person-already-registered",
        "cadre-already-enrolled",
        "posting-already-proposed",
        "posting-not-approved",
        "posting-declined",
        "posting-already-approved",
        "already-serving",
        "not-serving",
        "posting-ended",
        "posting-not-ended",
        "posting-closed",
        "import-unfinished",
    }
)
"""Refusals that say: the command is well, the state forbids it (409)."""
