"""A site that logs people in through Auth-movies. Python 3.9 or newer, no packages: python3 example_site.py

Its environment has AUTH, SITE_ID, SITE_SECRET and REDIRECT_URL. It listens at the port of REDIRECT_URL, or at PORT.
"""
import json
import os
import re
import secrets
import sys
import threading
import time
from base64 import b64encode
from contextlib import suppress
from html import escape
from socketserver import ThreadingMixIn
from urllib import request as http
from urllib.parse import parse_qsl, urlencode, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

AUTH, REDIRECT_URL = os.environ["AUTH"], os.environ["REDIRECT_URL"]
SITE = urlsplit(REDIRECT_URL)
ORIGIN = f"{SITE.scheme}://{SITE.netloc}"
COOKIE = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if SITE.scheme == "https" else "")
BASIC = "Basic " + b64encode(f"{os.environ['SITE_ID']}:{os.environ['SITE_SECRET']}".encode()).decode()
WORDS = {
    "access_denied": "You did not allow the login. You may try again.",
    "temporarily_unavailable": "Logging in does not work at the moment. Please try again a little later.",
    "login_expired": "The login took too long. Please log in once more.",
}
OTHER = "The login did not succeed. Please try again, or choose another way."
FOREIGN = "This login did not begin in this browser, or it is over. Please log in here."
GO_ON = '<p><a href="/">Go on</a></p>'
LOG_OUT = '<form method="post" action="/logout"><button>Log out</button></form>'
# The browser has a random id alone, everything else stays here. Yours are kept in Redis or a database, encrypted.
sessions = {}


class Failure(Exception):
    """Its text is for the visitor. The status is 0 where the service did not answer."""

    def __init__(self, message, status=400, error=None):
        super().__init__(message)
        self.status, self.error = status, error


class EveryAnswer(http.HTTPErrorProcessor):  # an error is an answer, too, and no redirect is followed
    http_response = https_response = lambda self, request, response: response


def call(visitor, path, form=None, authorization=BASIC):
    """Asks the service, by POST where there is a form."""
    headers = {"Authorization": authorization, "Accept-Language": visitor.get("HTTP_ACCEPT_LANGUAGE", "en")}
    request = http.Request(AUTH + path, form and urlencode(form).encode(), headers)
    status, body = 0, {}
    try:
        with http.build_opener(EveryAnswer).open(request, timeout=12) as answer:
            body = json.loads(answer.read() or "{}")  # revoke answers with nothing
            status = answer.status
    except (OSError, ValueError) as error:
        print(path, type(error).__name__, file=sys.stderr)
    if status == 200:
        return body
    detail = body.get("error_description", body.get("detail"))
    print(path, status, body.get("type"), body.get("request_id"), detail, file=sys.stderr)
    raise Failure(body.get("user_message", WORDS["temporarily_unavailable"]), status, body.get("error"))


def open_session(tokens):
    if len(sessions) >= 100_000:
        sessions.pop(next(iter(sessions)), None)  # the oldest
    session = {"id": secrets.token_urlsafe(32), "lock": threading.Lock(), "states": [], "message": None}
    sessions[session["id"]] = session
    return keep(session, tokens)


def keep(session, tokens):
    session.update(tokens, ends=time.time() + tokens.get("expires_in", 0))
    return session


def access_token(visitor, session):
    """The access token, refreshed where less than a minute of it is left."""
    with session["lock"]:  # all requests of a session wait for one refresh; several processes need a lock in Redis
        attempt = 1
        while session["ends"] - time.time() < 60:
            try:
                keep(session, call(visitor, "/api/v1/oauth/refresh/", {"refresh_token": session["refresh_token"]}))
            except Failure as failure:
                if failure.error == "invalid_grant":
                    sessions.pop(session["id"], None)  # ended; any other failure keeps the pair
                if failure.status not in (0, 500) or attempt == 3:
                    raise
                attempt += 1  # the answer was lost: at once the same token again, which gives the same pair
        return session["access_token"]


def me(visitor, session, again=True):
    """Who it is: id is the key of your users, never the email."""
    try:
        return call(visitor, "/api/v1/me/", authorization="Bearer " + access_token(visitor, session))
    except Failure as failure:
        if failure.status != 401 or not again:
            raise
    session["ends"] = 0  # the token is refused: a refresh tells whether the session has ended
    return me(visitor, session, False)


def home(visitor, session, query, form):
    if "access_token" in session:
        who = me(visitor, session)
        return None, f"<b>{escape(who['name'] or who['id'])}</b>{LOG_OUT}", session
    buttons = ""
    for one in call(visitor, "/api/v1/oauth/providers/")["providers"]:
        disabled = "" if one["available"] else "disabled"
        buttons += f'<button name="provider" value="{one["name"]}" {disabled}>{escape(one["title"]["en"])}</button> '
    return None, f'<form method="post" action="/login">{buttons}</form>', session


def login(visitor, session, query, form):
    start = {"provider": form.get("provider", ""), "client_redirect_url": REDIRECT_URL}
    answer = call(visitor, "/api/v1/oauth/authorize-url/", start)
    session = session or open_session({})
    session["states"] = [*session["states"], answer["state"]][-5:]  # several: a person may log in in two tabs
    return answer["authorize_url"], "", session


def login_return(visitor, session, query, form):
    answer = {name: query.get(name, "") for name in ("provider", "state", "code")}  # as they came
    if answer["state"] in session.get("states", []):
        if "error" in query:  # the state stays: the person may go back and agree
            raise Failure(WORDS.get(query["error"], OTHER))
        session["states"].remove(answer["state"])
        tokens = call(visitor, "/api/v1/oauth/authorize/", answer)
        sessions.pop(session["id"], None)
        session = open_session(tokens)  # with a new id
    elif "access_token" not in session:
        raise Failure(FOREIGN)
    return "/", "", session  # to an address without state and code


def logout(visitor, session, query, form):
    sessions.pop(session.get("id"), None)
    if "refresh_token" in session:
        with suppress(Failure):  # it is in the log
            call(visitor, "/api/v1/oauth/revoke/", {"token": session["refresh_token"]})
    return "/", "", {}


ROUTES = {"GET /": home, "POST /login": login, f"GET {SITE.path}": login_return, "POST /logout": logout}


def site(visitor, start_response):
    """A WSGI application."""
    method, path = visitor["REQUEST_METHOD"], visitor["PATH_INFO"]
    cookie = re.search(r"(?:^|; )session=([\w-]+)", visitor.get("HTTP_COOKIE", ""))
    session = sessions.get(cookie[1], {}) if cookie else {}
    query = dict(parse_qsl(visitor["QUERY_STRING"], keep_blank_values=True))
    body = visitor["wsgi.input"].read(min(int(visitor.get("CONTENT_LENGTH") or 0), 1_000))
    form = dict(parse_qsl(body.decode(errors="replace")))
    status, location, message = "200 OK", None, session.pop("message", None) if path == "/" else None
    route = ROUTES.get(f"{method} {path}")
    # A form of another site must not log anybody in or out.
    if route is None or (method == "POST" and visitor.get("HTTP_ORIGIN", ORIGIN) != ORIGIN):
        status, message, page = "404 Not Found", f"Please open {ORIGIN}/", GO_ON
    else:
        try:
            location, page, session = route(visitor, session, query, form)
        except Failure as failure:
            message, page = str(failure), GO_ON
            status = "503 Service Unavailable"
            if path != "/":  # to an address without state and code
                location, session = "/", session or open_session({})
                session["message"] = message
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ("Referrer-Policy", "same-origin"),
        ("Cache-Control", "no-store"),
    ]
    if "id" in session:
        headers.append(("Set-Cookie", f"session={session['id']}{COOKIE}"))
    if location:
        status = "303 See Other"
        headers.append(("Location", location))
    start_response(status, headers)
    alert = f'<p role="alert">{escape(message)}</p>' if message else ""
    return [f"<!doctype html><title>My site</title><h1>My site</h1>{alert}{page}".encode()]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_request(self, *_):
        """Nothing: the address of a return has state and code."""


if __name__ == "__main__":
    make_server("", int(os.environ.get("PORT") or SITE.port), site, Server, Quiet).serve_forever()
