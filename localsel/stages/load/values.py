"""Any value of a record → the same value, fit for JSON and UTF-8."""

from __future__ import annotations

import base64
import datetime
import math
import re
from collections.abc import Mapping

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def jsonable(value: object) -> object:
    """NaN and infinities become None, times ISO 8601, bytes text or base64, the rest `str`."""
    if isinstance(value, str):
        return encodable(value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {encodable(str(key)): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, bytes):
        return _text_or_base64(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return encodable(str(value))


def encodable(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, which JSON can spell and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return LONE_SURROGATE.sub("\ufffd", text)
    return text


def _text_or_base64(data: bytes) -> str:
    """Some writers of Parquet store text as plain bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode("ascii")
