"""The names by which credentials go, in URLs and in rows: whatever their case, and with - _ or . in them."""

import re
from functools import lru_cache
from typing import Any

# of what a gallery's own API takes for a login; a picture is known by its URL without these
LOGIN = re.compile(
    "access[_-]?token|api[_-]?key|auth|auth[_-]?token|authorization|client[_-]?secret|cookies?|csrf[_-]?token"
    "|login|pass|passwd|password|pass[_-]?hash|password[_-]?hash|phpsessid|refresh[_-]?token|secret|session"
    "|session[_-]?id|sid|token|x[_-]?api[_-]?key",
    re.IGNORECASE,
)
# Names are compared as letters and digits alone. How they end, or begin, whatever else is in them:
ENDINGS = (
    *("token", "secret", "password", "passwd", "passphrase", "passhash", "passwordhash", "credential"),
    *("credentials", "apikey", "accesskey", "accesskeyid", "secretkey", "privatekey", "subscriptionkey"),
    *("sessionid", "sessid", "authorization", "jwt", "bearer", "keypairid", "accessid", "securitykey"),
)
# AWS, Google, Alibaba, Tencent, OAuth, Akamai, CloudFront
BEGINNINGS = ("xamz", "xgoog", "xoss", "xcos", "qsign", "oauth", "hdn", "cloudfront", "csrf", "xsrf")
PLAIN = ("sig", "pwd", "gda", "authkey", "hmac", "sas", "cookie", "cookies")
# These are secret as parameters of a URL alone:
IN_URLS = (
    *("auth", "login", "pass", "session", "sid", "key", "sign", "signature", "xsignature", "hm", "ticket"),
    *("otp", "qak", "qkeytime", "qheaderlist", "qurlparamlist"),
)
# and these beside one of the others: of CloudFront, Azure, Akamai, Discord, Google, secure links
COMPANIONS = (
    *("expires", "xexpires", "policy", "exp", "acl", "ex", "is", "e", "st", "se", "sv", "sr", "sp", "spr"),
    *("sip", "si", "ss", "srt", "sdd", "ses", "skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid"),
    *("scid", "sduoid", "hash", "md5", "validto", "validfrom", "nonce", "timestamp"),
)
# of rows: secret where the value has the look of a token
BY_LOOK = ("auth", "pass", "session", "sid", "signature", "ticket")
_TOKEN = re.compile(r"[\w+/=.~%-]{12,}")


@lru_cache(4096)
def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


@lru_cache(4096)
def is_credential(name: str) -> bool:
    """Whether a name is a credential's by its own word, wherever it stands."""
    plain = _plain(name)
    return plain in PLAIN or plain.endswith(ENDINGS) or plain.startswith(BEGINNINGS)


@lru_cache(4096)
def is_parameter(name: str) -> bool:
    """Whether a parameter of a URL by this name is no one's business."""
    return _plain(name) in IN_URLS or is_credential(name)


def is_companion(name: str) -> bool:
    """Whether a parameter is part of a signature where there is one."""
    return _plain(name) in COMPANIONS


def is_login(name: str) -> bool:
    return LOGIN.fullmatch(name) is not None


def is_field(name: str, value: Any) -> bool:
    """Whether a field of a row is no one's business."""
    if value in (None, "") or isinstance(value, bool):
        return False
    if is_credential(name):
        return True
    return _plain(name) in BY_LOOK and isinstance(value, str) and _TOKEN.fullmatch(value) is not None
