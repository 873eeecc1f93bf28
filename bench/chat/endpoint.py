"""Where a chat model is reached, and the key that is read from the environment and told to nobody."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from m3dbench.errors import UserError

OPENAI = "https://api.openai.com/v1"
NO_KEY = "none"
SECRET = 8
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible server. base_url: up to and with ``/v1``. api_key_env: the variable that holds the key;
    servers other than OpenAI's may need none. timeout_s: for one attempt, from sending to the last byte.

    Raises UserError for an address, a variable's name or a time that cannot be one; the first two are not repeated,
    since people paste keys into both.
    """

    model: str
    base_url: str = OPENAI
    api_key_env: str = "OPENAI_API_KEY"
    timeout_s: float = 120.0

    def __post_init__(self) -> None:
        # Some keys have the form of a name; none of them is in capitals alone.
        if not _VARIABLE.fullmatch(self.api_key_env) and self.api_key_env not in os.environ:
            raise UserError(
                "the name given is no environment variable's", field="api_key_env", fix="the name, never the key itself"
            )
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError("is no http(s) address", field="base_url", fix="for example http://localhost:8000/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise UserError(
                "the address carries more than a host and a path",
                field="base_url",
                fix="keep user names, passwords and keys out of it; the key goes into an environment variable",
            )
        if not 0 < self.timeout_s < math.inf:
            raise UserError(f"is {self.timeout_s:g}, expected seconds above 0", field="timeout")
        if not self.model:
            raise UserError("no model is named", field="model", fix="the name under which the server offers it")

    @property
    def address(self) -> str:
        """The address in one form, for digests and records."""
        parts = urlsplit(self.base_url)
        return urlunsplit((parts.scheme, parts.netloc.lower(), parts.path.rstrip("/"), "", ""))

    def key(self) -> str:
        """The key. Raises UserError when OpenAI's own server is meant and the variable is not set."""
        key = os.environ.get(self.api_key_env, "").strip()
        if not key and self.address == OPENAI:
            raise UserError(
                f"{OPENAI} needs a key, and {self.api_key_env} is not set",
                field="api_key_env",
                fix=f"export {self.api_key_env}=..., or name another server by base_url",
            )
        return key or NO_KEY

    def scrub(self, text: str) -> str:
        """The text without the key, which some servers repeat. Placeholders for servers without keys are words."""
        key = os.environ.get(self.api_key_env, "").strip()
        return text.replace(key, "[key]") if len(key) >= SECRET else text
