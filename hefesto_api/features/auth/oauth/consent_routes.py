"""The page on which people decide what an application may do in their name (RFC 6749, section 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from authlib.oauth2 import OAuth2Error
from flask import Blueprint, Response, request

from hefesto_api.domain import emails
from hefesto_api.domain.errors import HefestoError
from hefesto_api.domain.redirects import source_of
from hefesto_api.features.auth import login, oidc, sessions
from hefesto_api.features.auth.callers import desk, place
from hefesto_api.features.auth.mfa import SecondFactorRequired
from hefesto_api.features.auth.oauth import consent, page_session, pages, routes
from hefesto_api.web import address
from hefesto_api.web.arguments import any_query
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import STATUS
from hefesto_api.web.errors import AuthenticationRequired
from hefesto_api.web.limits import per_address

if TYPE_CHECKING:
    from hefesto_api.features.auth.oauth.consent import Question
    from hefesto_api.features.auth.oauth.page_session import Sitting

blp = Blueprint("consent", __name__)
_STALE = "This form is too old, was made in another window, or your browser keeps no cookies. Try again."
_WRONG = "The email address or the password is wrong."
_CODE_WANTED = "Type the code that your authenticator app shows, and your password again."
_MOST_FIELDS = 100
_LONGEST_PASSWORD, _LONGEST_CODE = 1024, 64


@blp.get(page_session.PATH)
@any_query
@per_address(100)
def authorize() -> Response:
    """Ask who is there, then what he allows."""
    return _page(_question())


@blp.post(page_session.PATH)
@any_query
@per_address(100)
def decide() -> Response:
    """Take what a form of the page says."""
    asked = _question()
    told = dict(routes.form())
    cookie, query = page_session.cookie(), _query()
    if not _is_ours() or not page_session.is_proven(told.get("proof", ""), cookie, query):
        return _page(asked, _STALE, status=400)
    act, sitting = told.get("act"), page_session.present(cookie)
    if act == "sign-in":
        return _sign_in(asked, told)
    if sitting is None:
        return _page(asked)
    if act == "leave":
        sessions.end(runtime().db, sitting.id, sitting.user.id)
        return _again(page_session.new_cookie())
    if act in {"allow", "deny"}:
        return _gone(consent.decide(routes.held(), asked, sitting.user, allowed=act == "allow"))
    return _page(asked, _STALE, status=400)


@blp.errorhandler(consent.NobodyToAnswer)
def told_to_people(error: consent.NobodyToAnswer) -> Response:
    """Tell whoever sits there what is wrong with where he was sent; no application is told."""
    return _refused(str(error), 400)


@blp.errorhandler(consent.Answered)
def told_to_the_application(error: consent.Answered) -> Response:
    """Send an error to the application that caused it."""
    return _gone(error.location)


@blp.errorhandler(OAuth2Error)
def told_of_a_form(error: OAuth2Error) -> Response:
    """Tell of a form that is none of ours."""
    return _refused(str(error.description), 400)


@blp.errorhandler(HefestoError)
def told_of_us(error: HefestoError) -> Response:
    """Tell of what goes wrong on our side, on a page."""
    answer = _refused(error.message, getattr(error, "status", None) or STATUS[error.code])
    answer.headers.extend(getattr(error, "headers", {}))
    return answer


def _question() -> Question:
    return consent.question(routes.held(), _pairs(), address.root())


def _sign_in(asked: Question, told: dict[str, str]) -> Response:
    email, password, code = (told.get(name, "") for name in ("email", "password", "totp"))
    if len(email) > emails.MOST or len(password) > _LONGEST_PASSWORD or len(code) > _LONGEST_CODE:
        return _page(asked, _WRONG, status=401)
    wanted = {"email": email, "password": password} | ({"totp": code.strip()} if code.strip() else {})
    try:
        issued = login.login(desk(), wanted, place())
    except SecondFactorRequired:
        return _page(asked, _CODE_WANTED, status=401, email=email)
    except AuthenticationRequired as error:
        return _page(asked, error.message, status=401, email=email)
    except login.TooManyFailures as error:
        answer = _page(asked, error.message, status=429, email=email)
        answer.headers.extend(error.headers)
        return answer
    session_id = runtime().tokens.verify_access(issued.access_token).sid
    return _again(page_session.opened(session_id, place()))


def _page(asked: Question, notice: str = "", *, status: int = 200, email: str = "") -> Response:
    """Show who is asked, or whom to ask; the answer to a form brings a fresh one."""
    cookie = page_session.cookie() or page_session.new_cookie()
    sitting = page_session.present(cookie)
    common = {"client": asked.client.record.name, "notice": notice, "query": _query()}
    common["proof"] = page_session.proof(cookie, common["query"])
    if sitting is None:
        text = pages.write("sign_in.html", provider=_provider(), email=email, **common)
        answer = _html(text, status, pages.policy())
    else:
        answer = _consent_page(asked, sitting, common, status)
    page_session.keep(answer, cookie)
    return answer


def _consent_page(asked: Question, sitting: Sitting, common: dict[str, Any], status: int) -> Response:
    record = asked.client.record
    text = pages.write(
        "consent.html",
        scopes=asked.scopes(sitting.user),
        projects=asked.projects(sitting.user),
        place=asked.place,
        made_by=record.created_by,
        made_on=f"{record.created_at:%Y-%m-%d}",
        email=sitting.user.email,
        **common,
    )
    return _html(text, status, pages.policy(source_of(asked.redirect_uri)))


def _provider() -> dict[str, str] | None:
    """Return where people sign in who are known elsewhere."""
    settings = runtime().settings
    if not settings.oidc_issuer:
        return None
    back = urlencode({"next": f"{page_session.PATH}?{_query()}"})
    return {
        "name": oidc.provider_name(settings),
        "address": f"{address.root()}/api/v1/auth/oidc/login?{back}",
    }


def _is_ours() -> bool:
    """Tell whether a form comes from this page, as far as the browser says."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    own = {urlsplit(url)[:2] for url in (address.root(), request.host_url)}
    try:
        return (origin is None or urlsplit(origin)[:2] in own) and site in {None, "same-origin"}
    except ValueError:
        return False


def _pairs() -> list[tuple[str, str]]:
    try:
        raw = request.query_string.decode("utf-8", "replace")
        return parse_qsl(raw, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise consent.NobodyToAnswer("The address has too many parameters.") from None


def _query() -> str:
    return urlencode(_pairs())


def _again(cookie: str) -> Response:
    """Send the browser to the same question, as somebody else."""
    answer = _gone(f"?{_query()}")
    page_session.keep(answer, cookie)
    return answer


def _gone(location: str) -> Response:
    """Send the browser on; 303, so that no form is sent along."""
    return Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})


def _refused(reason: str, status: int) -> Response:
    return _html(pages.write("refused.html", reason=reason), status, pages.policy())


def _html(text: str, status: int, policy: str) -> Response:
    headers = {
        "Content-Security-Policy": policy,
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
    }
    return Response(text, status, headers)
