"""Records as they are published: no text in them holds a credential.

The references to what is fetched stay as they are; whoever writes a record down keeps these apart. Ids and
stamps are made before, so that what differs in credentials alone is told apart as ever.
"""

import json
import re
from dataclasses import replace

from anidata.sources import Record
from anidata.sources.web.secrets import scrubbed, url_without_secrets, without_secrets
from anidata.tar import untrusted

TEXTS = ("root", "name", "file", "message", "license", "artist", "rating", "caption")
_FIELDS = re.compile(
    r"token|secret|passw|passp|passh|pwd|credential|api.?key|access.?key|private.?key|key.?pair|access.?id"
    r"|security.?key|subscription.?key|sess.?id|session|authorization|auth|jwt|bearer|cookie|signature|sig\b"
    r"|hmac|sas\b|gda\b|hdn|csrf|xsrf|x.?amz|x.?goog|x.?oss|x.?cos|q.?sign|cloudfront|sid\b|ticket|pass\b",
    re.IGNORECASE,
)


def published(record: Record) -> Record:
    """A record without credentials; the same one where there are none."""
    changed: dict[str, object] = {}
    for name in TEXTS:
        text = getattr(record, name)
        if text and (clean := scrubbed(text)) != text:
            changed[name] = clean
    if record.url and (url := url_without_secrets(record.url)) != record.url:
        changed["url"] = url
    if (tags := tuple(map(scrubbed, record.tags))) != record.tags:
        changed["tags"] = tags
    if record.extra and (extra := _extra(record.extra)) != record.extra:
        changed["extra"] = extra
    return replace(record, **changed) if changed else record  # type: ignore[arg-type]


def _extra(text: str) -> str:
    """What else a source says, a JSON object, without fields that are credentials and those in its texts."""
    if scrubbed(text) == text and not _FIELDS.search(text):
        return text
    try:
        value = without_secrets(untrusted.read_json(text), of_program=False)
    except ValueError:
        return scrubbed(text)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
