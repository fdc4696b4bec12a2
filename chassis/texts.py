"""The chassis's own sentences: manners of HTTP, identity, availability."""

TEXTS: dict[str, tuple[str, str]] = {
    # manners
    "idempotency-key-missing": (
        "缺少请求头 Idempotency-Key。请为每个命令附上一个新的唯一值(例如 UUID),重试同一命令时沿用原值。",
        "The header Idempotency-Key is missing. Send a new unique value (a UUID, say) with each command, and the same one when you retry it.",
    ),
    "idempotency-key-malformed": (
        "请求头 Idempotency-Key 的格式不对。请用 1 到 128 个可见 ASCII 字符(例如 UUID),并且只发送一次。",
        "The header Idempotency-Key is malformed. Use 1 to 128 visible ASCII characters (a UUID, say), and send it once.",
    ),
    "after-malformed": (
        "请求头 After 的格式不对。请写成 registry@912,多个位置用逗号分开。",
        "The header After is malformed. Write it as registry@912, several positions separated by commas.",
    ),
    "cursor-malformed": (
        "翻页标记无效,或者不属于这个查询。请去掉 cursor 参数,从第一页重新开始。",
        "The paging cursor is not valid, or not of this query. Leave out the parameter cursor and begin at the first page.",
    ),
    "page-size-out-of-range": (
        "每页条数超出范围。请把 limit 设为 1 到 {most}。",
        "The page size is out of range. Set limit to 1 to {most}.",
    ),
    "input-invalid": (
        "输入有 {count} 处不符合要求。请按 errors 中逐项的说明改正后再提交。",
        "Mistakes in the input: {count}. Correct them as errors says, one by one, and send it again.",
    ),
    "body-not-json": (
        "请求体不是有效的 JSON。请检查引号、逗号和编码(UTF-8)后再提交。",
        "The body is not valid JSON. Check quotes, commas and the encoding (UTF-8), and send it again.",
    ),
    "media-type-unsupported": (
        "不支持这种内容类型。请把 Content-Type 设为接口文档(/docs)写明的类型,命令一般是 application/json。",
        "This media type is not supported. Set Content-Type to what /docs names, for commands application/json.",
    ),
    "body-too-large": (
        "请求体过大。请控制在 {most} 字节以内,或分成几次提交。",
        "The body is too large. Keep it within {most} bytes, or send it in several parts.",
    ),
    "request-invalid": (
        "请求的格式不对。请对照接口文档(/docs)改正后再提交。",
        "The request is malformed. Compare it with /docs, correct it and send it again.",
    ),
    "route-not-found": (
        "没有这个地址。请对照接口文档(/docs)检查路径。",
        "There is nothing at this address. Check the path against /docs.",
    ),
    "method-not-allowed": (
        "这个地址不接受该方法。请改用响应头 Allow 中列出的方法。",
        "This address does not take that method. Use one that the header Allow names.",
    ),
    "unexpected": (
        "系统出现了意外错误,请求可能没有完成。请用同一个 Idempotency-Key 重试;仍不成功时把编号 {trace} 告诉系统管理员。",
        "Something unexpected went wrong, and the request may not have been done. Retry with the same Idempotency-Key; if it fails again, tell the operator the number {trace}.",
    ),
    "version-conflict": (
        "处理期间相关记录一再被他人更改。请稍候用同一个 Idempotency-Key 重试。",
        "The records involved kept changing while this was decided. Wait a moment and retry with the same Idempotency-Key.",
    ),
    "idempotency-key-reused": (
        "这个 Idempotency-Key 已用于内容不同的另一个命令。请为新命令换一个新的值。",
        "This Idempotency-Key was used for another command. Send a new value with a new command.",
    ),
    "database-away": (
        "数据库暂时无法连接,命令可能没有记录。请稍候用同一个 Idempotency-Key 重试,不会重复生效。",
        "The database cannot be reached, and the command may not be recorded. Retry with the same Idempotency-Key; it takes effect once.",
    ),
    "not-found": (
        "没有找到,或者不在您的范围之内。请检查编号,或向下派办查询。",
        "Not found, or outside your scope. Check the identifier, or ask the dispatch office.",
    ),
    "not-ready": (
        "服务尚未就绪:{what}。请稍后再试;/readyz 说明还缺什么。",
        "The service is not ready: {what}. Try again later; /readyz says what is missing.",
    ),
    "request-in-flight": (
        "同一个 Idempotency-Key 的命令正在处理。请稍后用原值再试,将得到同一结果。",
        "A command with this Idempotency-Key is being done. Try again shortly with the same key, and get its answer.",
    ),
    "not-yet-known": (
        "这里还没有看到 {after}。请稍后再试。",
        "This has not seen {after} yet. Try again shortly.",
    ),
    # identity
    "token-missing": (
        "没有登录信息。请在请求头 Authorization 中附上 Bearer 令牌,或先登录督导台。",
        "There is no sign of who you are. Send a Bearer token in the header Authorization, or log in at the desk first.",
    ),
    "token-malformed": (
        "令牌格式不对。请重新取得令牌,完整地放在 Authorization: Bearer 之后。",
        "The token is malformed. Get a new one and put it whole after Authorization: Bearer.",
    ),
    "token-algorithm-refused": (
        "令牌的签名算法不被接受。请让身份服务改用 ES256、RS256 或 EdDSA 签名。",
        "The token's algorithm is not accepted. Have the identity provider sign with ES256, RS256 or EdDSA.",
    ),
    "token-key-unknown": (
        "令牌由未知的密钥签名。请从本系统信任的身份服务重新取得令牌。",
        "The token was signed by an unknown key. Get a token from the identity provider that this system trusts.",
    ),
    "token-signature-invalid": (
        "令牌的签名不正确。请重新取得令牌,不要改动其内容。",
        "The token's signature is wrong. Get a new token and do not change it.",
    ),
    "token-expired": (
        "令牌已过期。请重新取得令牌或重新登录。",
        "The token has expired. Get a new one or log in again.",
    ),
    "token-not-yet-valid": (
        "令牌尚未生效。请核对双方服务器的时间,然后重新取得令牌。",
        "The token is not valid yet. Compare the clocks of both servers and get a new token.",
    ),
    "token-issuer-foreign": (
        "令牌不是由本系统信任的身份服务签发的。请从配置的身份服务取得令牌。",
        "The token comes from an issuer that this system does not trust. Get one from the configured identity provider.",
    ),
    "token-audience-foreign": (
        "令牌不是签发给本系统的。请在身份服务中把本系统加入令牌的受众(aud)。",
        "The token is meant for another system. Add this system to the token's audience (aud) at the identity provider.",
    ),
    "token-claims-incomplete": (
        "令牌缺少有效的 {claim} 声明。请让身份服务管理员为这个账号配置它。",
        "The token has no valid claim {claim}. Have the identity provider's administrator set it for this account.",
    ),
    "token-role-unknown": (
        "令牌中没有本系统的角色。请让身份服务管理员为这个账号指定一个角色。",
        "The token names no role of this system. Have the identity provider's administrator give this account one role.",
    ),
    "token-category-unknown": (
        "令牌的 {claim} 声明中有本系统没有的类别。请让身份服务管理员改用接口文档(/docs)中的类别代码,例如 RURAL_GUIDE。",
        "The token's claim {claim} names a category that this system does not have. Have the identity provider's administrator use the codes of /docs, such as RURAL_GUIDE.",
    ),
    "token-role-ambiguous": (
        "令牌中有多个本系统的角色。请让身份服务管理员只保留一个,或为每个角色各用一个账号。",
        "The token names several roles of this system. Have the administrator keep one, or use one account for each role.",
    ),
    "token-subject-personal": (
        "令牌的 sub 像是身份证号或电话号码。请让身份服务管理员改用不含个人信息的编号。",
        "The token's sub looks like an identity or phone number. Have the administrator use an identifier that is not personal.",
    ),
    "identity-provider-unreachable": (
        "暂时联系不上身份服务,无法核对令牌。请稍后再试。",
        "The identity provider cannot be reached, so the token cannot be checked. Try again later.",
    ),
    "role-not-allowed": (
        "您的角色({role})不能做这件事。请由以下角色办理:{allowed}。如有疑问请联系下派办。",
        "Your role ({role}) may not do this. It is for: {allowed}. Ask the dispatch office in case of doubt.",
    ),
    # desk login
    "login-state-mismatch": (
        "登录过程已失效或被打断。请重新登录。",
        "The login has lapsed or was interrupted. Please log in again.",
    ),
    "login-refused": (
        "身份服务没有同意登录({reason})。请重新登录,或联系身份服务管理员。",
        "The identity provider did not agree to the login ({reason}). Log in again, or ask its administrator.",
    ),
    "csrf-origin-foreign": (
        "这个请求来自别的网站,已被拒绝。请回到督导台页面再操作。",
        "This request came from another site and was refused. Go back to the desk and do it there.",
    ),
    "csrf-token-invalid": (
        "页面的安全标记已失效。请刷新页面后再提交。",
        "The page's security token is no longer valid. Reload the page and submit again.",
    ),
}
