"""Phrases of refusals and what they mean, in the languages of mail servers.

By meaning, not by product: who or what (a recipient's account, a domain, us), and what is wrong
with it. They were compared with public collections of real replies: above all the reason tables of
Sisimai (BSD-2-Clause, libsisimai.org), the bounce rules of phpList, flufl.bounce and the error
lists that large receivers publish.
"""

from __future__ import annotations

import re

# Gaps are bounded: servers quote what senders wrote, so the text may be hostile.
_WHO = (
    r"(?:(?:user|recipient|rece?ipient|mail\ ?box|address|addressee|account|customer|inbox)(?:e?s)?"
    r"|userid|alias|local[\ -]part|employee)"
)
_WHERE = r"(?:(?:domain|host)s?|hostname)"
_GAP = r"(?:[^.;]|\.(?=\S))"
"""Within a sentence; a period inside an address or a host name does not end it."""
_NOT = r"(?:\b(?:can)?not|n['\u2019]t|\bdoe?snt)\ (?:be\ |an?\ )?"
_CANNOT = r"(?:couldn['\u2019]t|could\ not|can['\u2019]t|cannot|can\ not|unable\ to)"

DEAD = re.compile(
    rf"""unknown\ (?:local\ |virtual\ |e-?mail\ |or\ illegal\ |destination\ )*
      (?:{_WHO}|host|domain)\b
    | (?:\bno|not\ an?)\ (?:such|known|valid|local|matching)
      \ (?:local\ |e-?mail\ )?(?:{_WHO}|{_WHERE}|person)\b
    | \bno\ (?:known\ )?(?:mail\ ?box|account)\b
    | no(?:body|\ user)\ (?:here\ )?(?:by|with)\ that\ name | \b{_WHO}\ by\ that\ name
    | no\ one\ at\ this\ address | (?:account|mail\ ?box)\ (?:is\ )?unavai?l?able(?!\ or|\ \(not)
    | \bmail\ ?box\ \S+@\S+\ (?:is\ )?unavailable | no\ longer\ accepts\ (?:e?-?mail|messages)
    | recipient\ (?:is\ )?(?:not\ (?:accepted|ok)|rejected(?!:\ [a-z]+\ ))
    | (?:rejected|no\ valid)\ recipients?
    | not\ an\ active\ address | (?:bad|valid)rcptto | badrecipientto | recip(?:ient)?\ ?notfound
    | recipient\ verif(?:y|ication)\ failed | \b(?:user|recipient)-?unknown | \bunknown-?user
    | recipient\ (?:has\ been\ |is\ |was\ )?denied
    | recipient\ address\ rejected\.?(?:$|\ \(in\ reply)
    | mail\ ?box\ (?:name\ )?(?:is\ )?not\ allowed
    | \S@\S{{1,250}}\ (?:(?:(?:does|is|was)\ )?not|do\w{{0,2}}n['\u2019]?t)\ (?:exist|found|known)
    | \bthis\ \w{{1,20}}\ (?:does\ not|doesn['\u2019]t)\ exist
    | \b(?:no|not)\ (?:\S{{1,80}}\ )?in\ (?:the\ )?(?:name\ )?directory
    | \S@\S{{1,250}}\ (?:\([^()]{{0,60}}\)\.?\ )?please\ check\ (?:if|that|whether)
      \ (?:the\ |this\ )?(?:e-?mail\ )?address\ is\ (?:correct|right|valid)\b
    | (?<!\d\ )invalid\ domain\ name
    | (?:invalid|bad|illegal|incorrect|undeliverable|non[\ -]?exist(?:ent|ing))
      [\ _-](?:(?:final|delivery|destination|mailbox|e-?mail)\ ){{0,2}}
      (?:{_WHO}|hostname|host/domain|(?:domain|host)s?(?!\ name))\b
    | non[\ -]?exist(?:ent|ing)[\ -]?{_WHERE}\b
    | recipients?\ (?:is\ |are\ |was\ |were\ )undeliverable
    | \b(?:{_WHO}|{_WHERE})\b{_GAP}{{0,60}}?
      (?:{_NOT}(?:found|known|recogni[sz]ed|exist|listed|registered|present|valid|local)
        |\bunknown|\bno\ longer\ (?:exists?|valid|active|available|in\ use|here|work|with\b|employed
                                   |on\ (?:this\ )?server))
    | no\ longer\ (?:employed|with\ (?:the|this|our)\ (?:company|firm|organi[sz]ation))
    | \b(?:{_WHO}|{_WHERE})\ (?:is\ )?invalid | \buser\ not\ local | \bleft\ the\ company
    | \b{_WHO}\b{_GAP}{{0,20}}\b(?:deleted|terminated|closed|removed|discontinued)
    | not\ listed\ in\ {_GAP}{{0,30}}(?:directory|address\ book)
    | (?:does\ not|doesn['\u2019]t)\ have\ an?\ [^\s;]{{0,60}}\ ?(?:account|mailbox)
    | not\ (?:our|a)\ customer | unroute?able\ (?:address|mail\ domain) | missing\ home\ directory
    | (?:user|recipient|mailbox|account|address)\ has\ (?:been\ )?moved | has\ been\ replaced\ by
    | requested\ action\ not\ taken:\ mailbox\ unavailable
    | (?:domain|host)\ (?:is\ not\ reachable|must\ exist) | nxdomain | name\ or\ service\ not\ known
    | {_CANNOT}\ (?:find|locate|accept)\ (?:any\ |an?\ |the\ |this\ )?
      (?:host|domain|user|recipient|mailbox|account|mail\ exchanger)
    | \bno\ (?:mail\ exchanger|(?:valid\ )?mx\ (?:or\ a\ )?(?:record|host))
    | recipient\ address\ rejected:\ access\ denied
    | returned\ answer\ with\ no\ data | null\ ?mx | no\ smtp\ service
    | host\ (?:address\ )?lookups?\ failed\ permanently
    | (?:host|domain|server)\ (?:\S{{1,100}}\ )?(?:does\ not|doesn['\u2019]t)
      \ accept\ (?:any\ )?(?:e-?)?mail(?!s?\ (?:from|over))""",
    re.VERBOSE,
)
"""The address or its domain does not exist, or no longer does."""

_ELSEWHERE = {
    "de": (
        r"adressat|adresse|benutzer|empf\S{1,4}nger|postfach|mailbox|konto|account|domain",
        r"(?:existiert|gibt\ es)\ nicht|unbekannt|ung\S{1,2}ltig"
        r"|nicht\ (?:gefunden|bekannt|vorhanden|existent|mehr)",
    ),
    "fr": (
        r"destinataires?|utilisateur|adresse|bo[i\u00ee]te|compte|domaine",
        r"inconnue?s?|inexistante?s?|invalides?|introuvables?|n['\u2019]existe",
    ),
    "es": (
        r"usuario|cuenta|destinatario|direcci\S{1,2}n|buz\S{1,2}n|dominio|casilla",
        r"desconocid[oa]|inexistente|inv\S{1,2}lid[oa]"
        r"|no\ (?:existe|encontrad[oa]|v\S{1,2}lid[oa]|se\ encuentra)",
    ),
    "pt": (
        r"usu\S{1,2}rio|conta|destinat\S{1,2}rio|caixa|endere\S{1,2}o|dom\S{1,2}nio",
        r"desconhecid[oa]|inexistente|inv\S{1,2}lid[oa]|n\S{1,2}o\ (?:existe|encontrad[oa])",
    ),
    "it": (
        r"utente|casella|indirizzo|destinatario|account|dominio",
        r"sconosciut[oa]|inesistente|nessun|non\ (?:\S{1,3}\ )?(?:trovat|esist|valid)",
    ),
    "nl": (
        r"gebruiker|ontvanger|adres|mailbox|postbus|domein",
        r"onbekend|ongeldig|bestaat\ niet|niet\ gevonden",
    ),
    "pl": (
        r"u\u017cytkownik|odbiorca|skrzynka|adres|konto|domena",
        r"nieznan[yae]|nie\ (?:istnieje|znaleziono)",
    ),
    "ru": (
        r"\u043f\u043e\u043b\u044c\u0437\u043e\u0432\u0430\u0442\u0435\u043b\S{1,2}"
        r"|\u0430\u0434\u0440\u0435\u0441\S{0,2}|\u044f\u0449\u0438\u043a\S{0,2}",
        r"\u043d\u0435\ (?:\u043d\u0430\u0439\u0434\u0435\u043d"
        r"|\u0441\u0443\u0449\u0435\u0441\u0442\u0432\u0443\u0435\u0442)"
        r"|\u043d\u0435\u0438\u0437\u0432\u0435\u0441\u0442\u0435\u043d",
    ),
}
"""In other languages: what is meant, and what is wrong with it, in either order."""
_DEAD_ELSEWHERE = [
    re.compile(
        rf"\b(?:{who})\b{_GAP}{{0,60}}?\b(?:{wrong})"
        rf"|(?:{wrong})(?:er?|es|en|ese|dicha|el|la|tal)?\ (?:\w{{1,5}}\ )?(?:{who}|persona)",
        re.VERBOSE,
    )
    for who, wrong in _ELSEWHERE.values()
] + [
    # No word boundaries: Japanese and Chinese are written without spaces.
    re.compile(
        "(?:メール|アドレス|宛先|ユーザ|受信者|ドメイン).{0,30}(?:存在し|見つかり|不明(?!な)|ありません)"
        "|ディレクトリ.{0,10}見つかり"
        "|(?:用户|用戶|邮箱|郵箱|收件人|地址).{0,20}(?:不存在|未找到|无效|無效)|无此用户"
    )
]

FULL = re.compile(
    rf"""gr[ea]y-?list
    | \b(?:mail\ ?(?:box|folder|dir)|inbox|account|mail\ file)\ (?:\w+\ ){{0,4}}?(?:full|over)\b
    | \bfull\ (?:mail\ ?box|inbox) | too\ (?:much\ mail|many\ messages)\b
    | mailbox\ would\ exceed | storage\ limit | disk\ ?space\ quota
    | (?:over|exceed(?:s|ed|ing)?)\b{_GAP}{{0,40}}\b(?:quota|allowed\ size|storage|disk\ space)
    | \b{_WHO}\b{_GAP}{{0,30}}\bexceed(?:s|ed|ing)?\b{_GAP}{{0,30}}\b(?:limit|space|size)
    | quota\b{_GAP}{{0,20}}\b(?:exceed(?:ed)?|violation|reached) | reached\ {_GAP}{{0,20}}quota
    | over\ ?quota | mailbox\ size | mail\ file\ size
    | (?:insufficient|not\ enough|enough|out\ of|no\ more|disk)
      \ (?:(?:free|system|disk|storage)\ )?(?:storage|disk|space) | space\ has\ been\ used\ up
    | disk\ (?:is\ )?full | no\ space\ left
    | \b{_WHO}\b{_GAP}{{0,40}}\b(?:disabled|suspend(?:ed)?|inactive|locked|frozen|deactivated
                                  |expired|not\ active|restricted|is\ ?blocked|archiv)
    | (?:temporarily|currently|is|been)\ (?:suspended|inactive|disabled|deactivated)
    | administrativ\w{{0,4}}\ disabled | archived\ recipient | cannot\ be\ accessed
    | not\ used\ for\ (?:more\ than|over)
    | (?:disabled|suspended|inactive|locked|deactivated)\ (?:recipient|{_WHO})
    | (?:recipient|user)\b{_GAP}{{0,20}}\b(?:refuses?|preferences|user\ rules)
    | (?:is\ )?(?:not\ |only\ )accepting\ (?:any\ )?(?:e?-?mail|messages)
    | mailbox\ unavailable\ or\ access | due\ to\ inactivity
    | blocked\ by\ (?:the\ |this\ )?(?:recipient|user)\b
    | (?:postfach|mailbox|speicher\w*|kontingent)\b{_GAP}{{0,40}}\b(?:voll|\S{{1,2}}berf|ersch)
    | bo[i\u00ee]te\b{_GAP}{{0,40}}\b(?:pleine|archiv)
    | quota\ d[e\u00e9]pass | (?:cuota|cota)\ excedida
    | (?:buz\S{{1,2}}n|casilla)\b{_GAP}{{0,30}}\bllen[oa]
    | (?:casella|caixa)\b{_GAP}{{0,30}}\b(?:piena|cheia) | 容量|満杯|邮箱已满|信箱已滿""",
    re.VERBOSE,
)
"""About this mailbox, for now: full, greylisted, disabled, or selective."""

ABOUT_US = re.compile(
    rf"""spam\b | \bspam | (?:black|block)[\ -]?list | \bblocked\b | dnsbl | [us]rbl\b | \brbl\b
    | \bspf\b | \bdkim\b | \bdmarc\b | reputation | unsolicited | bulk\ (?:e-?)?mail | suspicious
    | junk-?\ ?mail | mass\ mailer | reverse\ dns | \bptr\b | rate[\ -]limit | too\ many
    | \bslower\b | trop\ de\ connexions | (?:unusual|unexpected)\ (?:rate|volume) | \bbanned\b
    | \bvirus | malware | phishing | content\ (?:is\ |was\ )?(?:rejected|refused)
    | unauthenticated | authenticat(?:ion|e)\b | \brelay(?!ed\b|=)
    | rcpthosts | \byour\ (?:domain|ip|host|server|network|access|sending)
    | cannot\ resolve\ your
    | return[\ -]path\b(?!:) | sender\ verif | \bip\ addresse?s?\b(?!\.) | from\ mail\ server
    | (?<!mailbox\ )(?<!mailbox\ is\ )(?<!mailbox\ name\ )not\ allowed
    | not\ (?:permitted|authori[sz]ed|owned)
    | \bnot\ (?:an?\ )?member | white[\ -]?list | dynamic\ ip | bad\ ip\b | over\ ipv6
    | starttls | \btls\ (?:is\ )?(?:version|required)
    | \byour\ (?:isp|provider) | refused\ -\ see | badmailfrom | \bsender(?:noa|filter)
    | (?:denied|rejected|refused)\ by\b{_GAP}{{0,40}}\bfilter | content\ filter | quarantin
    | reject\ mail\ from | (?:sending|content)\ denied | mail\ content
    | (?:is|mail|message)\ malformed | too\ (?:fast|quickly)\b
    | per\ hour\b | excessive\ volume | throttl | frequency\ limit
    | (?:sending|message|daily)\ (?:user\ )?(?:sending\ )?(?:limit|quota|threshold)
    | no\ valid\ recipients?\ from | backscatter | purported\ responsible | \bforbidden\b
    | connection\ (?:was\ )?(?:denied|dropped) | unauthori[sz]ed | permission
    | administrative\ prohibition | members[\ -]only | closed\ mailing\ list | \bgo\ away\b
    | open\ proxy | client\ ip\b | access\ from\b | protocol\ violation
    | message\ (?:size\ )?(?:is\ |was\ )?(?:too\ (?:big|large)|exceed|rejected|refused|filtered)
    | size\ limit | too\ (?:big|large)\b | (?:maximum|max)\ (?:\w+\ ){{0,3}}size | size\ exceeded
    | message\ length | line\ limit | taille\ limite
    | in\ message\ header | mime\ header | header\ (?:error|size|are\ not)
    | (?:duplicate|multiple)\ .{{0,20}}header
    | rfc\ ?-?(?:2822|5322) | 8-bit\ data | (?:multiple|duplicate)\ (?:addresses|recipients)
    | attachment | returned\ mail\ not | fully[\ -]qualified
    | client\ host | \b(?:helo|ehlo)\b | sending\ (?:ip|host|server|domain|address)
    | \bsender\b{_GAP}{{0,60}}\b(?:rejected|refused|denied|blocked|invalid|not\ |exist|unknown|null
                                 |empty)
    | \bsender['\u2019]?s?\ (?:e?-?mail\ )?(?:domain|address) | \bbadsender
    | (?:null|unknown|invalid|bad|(?:no|a)\ valid|unroute?able)\ sender | [e\u00e9]metteur
    | \bfrom:?\ (?:header|domain|address) | (?:domain|address)\ of\ sender
    | mail\ from\b[^;]{{0,80}}\b(?:rejected|refused|denied) | accept\ mail\ from
    | polic(?:y|ies)\b | complaint""",
    re.VERBOSE,
)
"""About our identity, where we send from, or what we wrote."""

TROUBLE = re.compile(
    rf"""temporar(?:y|ily) | (?:try|retry)\ (?:\w+\ ){{0,2}}(?:later|in\ \d)
    | not\ found,\ try\ again
    | (?:essayer|versuchen)\b{_GAP}{{0,20}}\b(?:plus\ tard|sp\S{{1,2}}ter)
    | timed?\ ?-?out | \bdeferred\b | retry\ time | (?:delivery|message)\b{_GAP}{{0,15}}\bexpired
    | (?:been\ delayed|been\ failing|\d\ tries|multiple\ retries|more\ than\ \d+\ (?:hour|day))
    | queue\ (?:too\ long|period) | in\ (?:the\ )?queue\ (?:too|for) | giving\ up
    | connection\ (?:refused|reset|closed|lost|failed|dropped) | network\ (?:error|is\ unreach)
    | {_CANNOT}\ (?:create|open|write|connect|contact)
    | did\ not\ (?:accept\ our\ requests\ to\ connect|respond)
    | service\ (?:currently\ )?(?:un|not\ )available
    | \bloop(?:s|ing)?\b | (?:hop\ count|many\ hops) | mail\ system\ problem
    | (?:is\ |host\ )unreachable | no\ route\ to | name\ server\ reply
    | (?:name|user|ldap)\ lookup\ (?:failure|failed|error) | resolve\ route
    | a\ gateway\ for | not\ reachable\ within
    | (?:config(?:uration)?|internal|system|server|mailer|write|local)\ (?:\w+\ )?error
    | misconfigured | procmail | command\ (?:died|output|failed)""",
    re.VERBOSE,
)
"""About a server on the way: delivery may work tomorrow."""


def says_dead(said: str) -> bool:
    """Whether a refusal in lower case says that the address or its domain is gone."""
    return bool(DEAD.search(said)) or any(each.search(said) for each in _DEAD_ELSEWHERE)
