"""Who is at the dashboard: the operator's browser, by a cookie that the admin token seals.

Nothing is stored: the cookie is encrypted under a key made of the token, and lapses by itself. So
every process knows it, a restart ends none, and a new admin token ends all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from aiohttp import web
from cryptography.fernet import Fernet, InvalidToken

COOKIE = "deposit_watcher_session"
SECONDS = 12 * 3600


@dataclass(frozen=True, slots=True)
class Session:
    """One login."""

    csrf: str
    """What every form must bring: other sites cannot read it."""

    def vouches_for(self, told: str) -> bool:
        """Whether a form brought it."""
        return hmac.compare_digest(self.csrf.encode(), told.encode(errors="replace"))


class Sessions:
    """Opens sessions for who knows the admin token, and knows them again."""

    def __init__(self, admin_token: str, *, secure: bool) -> None:
        """`secure`: browsers give the cookie back over HTTPS only."""
        self._token, self._secure = admin_token.encode(), secure
        key = hashlib.sha256(b"dashboard session\0" + self._token).digest()
        self._box = Fernet(base64.urlsafe_b64encode(key))

    def is_token(self, told: str) -> bool:
        """Whether this is the admin token; takes as long for every wrong one."""
        return hmac.compare_digest(self._token, told.encode(errors="replace"))

    def begin(self, response: web.Response) -> None:
        """Let the browser that gets this response in."""
        sealed = self._box.encrypt(secrets.token_urlsafe(32).encode()).decode()
        response.set_cookie(
            COOKIE, sealed, max_age=SECONDS, httponly=True, samesite="Strict", secure=self._secure
        )

    def end(self, response: web.Response) -> None:
        """Let the browser forget."""
        response.del_cookie(COOKIE, httponly=True, samesite="Strict", secure=self._secure)

    def of(self, request: web.Request) -> Session | None:
        """The session that a request comes with; None where it has none, or a lapsed one."""
        sealed = request.cookies.get(COOKIE, "")
        try:
            return Session(self._box.decrypt(sealed.encode(errors="replace"), ttl=SECONDS).decode())
        except InvalidToken:
            return None


SESSIONS: web.AppKey[Sessions] = web.AppKey("sessions")
