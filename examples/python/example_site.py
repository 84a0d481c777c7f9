# A site that logs people in through Auth-movies, whole, in one file. Python 3.9 or newer, its standard library alone.
# To try it, run `npm start` in a copy of the service, and in a second terminal
#   npm run site -- add --name Example --redirect-url http://127.0.0.1:8000/return
# Paste the line `export AUTH=…` it prints, run `python3 examples/python/example_site.py`, open http://127.0.0.1:8000/
# For production: https in REDIRECT_URL by a proxy on this machine (it listens on 127.0.0.1:SITE_PORT); sessions in
# Redis or a database, each with a lock, the tokens encrypted; a limit for the login button; your own words and pages.
import json
import os
import secrets
import time
from base64 import b64encode
from contextlib import suppress
from html import escape
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import HTTPErrorProcessor, Request, build_opener

AUTH, SITE_ID, SITE_SECRET, REDIRECT_URL = map(os.getenv, ("AUTH", "SITE_ID", "SITE_SECRET", "REDIRECT_URL"))
if not (AUTH and SITE_ID and SITE_SECRET and REDIRECT_URL):
    raise SystemExit("Please set AUTH, SITE_ID, SITE_SECRET and REDIRECT_URL, as `npm run site -- add` prints them.")
SITE = urlsplit(REDIRECT_URL)
ORIGIN = f"{SITE.scheme}://{SITE.netloc}"
COOKIE = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if SITE.scheme == "https" else "")
BASIC = "Basic " + b64encode(f"{SITE_ID}:{SITE_SECRET}".encode()).decode()
REFUSED = "You did not allow the login. You may try again."
EXPIRED = "This login took too long. Please log in again."
OTHER = "The login did not succeed. Please try again, or choose another way."
FOREIGN = "This login did not begin in this browser, or it is over. Please log in here."
LATER = "Logging in does not work at the moment. Please try again a little later."
sessions = {}


class Session:
    """What is kept of a browser, which has the random id alone."""

    def __init__(self):
        self.id, self.message, self.tokens, self.ends, self.states = None, None, None, 0, []
        self.lock = Lock()  # held by each request, so that all of a session wait for one refresh

    def open(self):
        self.id = self.id or secrets.token_urlsafe(32)
        sessions[self.id] = self

    def keep(self, tokens):
        self.tokens, self.ends = tokens, time.time() + tokens["expires_in"]

    def close(self):
        sessions.pop(self.id, None)
        self.id = self.tokens = None


class Failure(Exception):
    """Its text is for the visitor. The status is 0 where the service did not answer."""

    def __init__(self, message, status=400, error=None):
        super().__init__(message)
        self.status, self.error = status, error


class EveryAnswer(HTTPErrorProcessor):  # an error is an answer, too, and no redirect is followed
    http_response = https_response = lambda self, request, response: response


class Site(BaseHTTPRequestHandler):
    """One request of a visitor."""

    def call(self, path, form=None, authorization=BASIC):
        """Asks the service, by POST where there is a form."""
        headers = {"Authorization": authorization, "Accept-Language": self.headers.get("Accept-Language", "en")}
        request = Request(AUTH + path, form and urlencode(form).encode(), headers)
        # A finish may take 10 seconds; a refresh whose answer is lost must be repeated within 10.
        try:
            with build_opener(EveryAnswer).open(request, timeout=12 if "/authorize/" in path else 4) as answer:
                body, status = json.loads(answer.read() or "{}"), answer.status  # revoke answers with nothing
        except (OSError, HTTPException, ValueError) as error:
            body, status = {"detail": repr(error)}, 0
        if status == 200:
            return body
        self.log_error("%s %s %s %s %s", path, status, body.get("type"), body.get("request_id"), body.get("detail"))
        raise Failure(body.get("user_message", LATER), status, body.get("error"))

    def refresh(self, again=True):
        try:
            self.session.keep(self.call("/api/v1/oauth/refresh/", {"refresh_token": self.session.tokens["refresh_token"]}))
        except Failure as failure:
            if failure.error == "invalid_grant":
                self.session.close()  # ended; any other failure keeps the pair
            if not again or 0 < failure.status < 500:
                raise
            self.refresh(False)  # the answer was lost: once more with the same token, which gives the same pair

    def me(self):
        """Who it is: id is the key of your users, never the email."""
        if self.session.ends - time.time() < 60:
            self.refresh()
        try:
            return self.call("/api/v1/me/", authorization="Bearer " + self.session.tokens["access_token"])
        except Failure as failure:
            if failure.status != 401:
                raise
        self.refresh()  # the token was refused: this tells whether the session has ended
        return self.call("/api/v1/me/", authorization="Bearer " + self.session.tokens["access_token"])

    def home(self):
        if self.session.tokens:
            who = self.me()
            name = escape(who["name"] or who["id"])
            return f'<b>{name}</b><form method="post" action="/logout"><button>Log out</button></form>'
        buttons = ""
        for one in self.call("/api/v1/oauth/providers/")["providers"]:
            attributes = f'name="provider" value="{escape(one["name"])}"' + ("" if one["available"] else " disabled")
            buttons += f"<button {attributes}>{escape(one['title']['en'])}</button> "
        return f'<form method="post" action="/login">{buttons}</form>'

    def login(self):
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 1_000)).decode(errors="replace")
        form = {"provider": dict(parse_qsl(body)).get("provider", ""), "client_redirect_url": REDIRECT_URL}
        start = self.call("/api/v1/oauth/authorize-url/", form)
        self.session.open()
        self.session.states = [*self.session.states, start["state"]][-5:]  # several: a person may log in in two tabs
        return start["authorize_url"]

    def login_return(self):
        query = dict(parse_qsl(self.query, keep_blank_values=True))
        answer = {name: query.get(name, "") for name in ("provider", "state", "code")}  # as they came
        if answer["state"] in self.session.states:
            if "error" in query:  # the state stays: the person may go back and agree
                raise Failure({"access_denied": REFUSED, "login_expired": EXPIRED}.get(query["error"], OTHER))
            self.session.states.remove(answer["state"])
            tokens = self.call("/api/v1/oauth/authorize/", answer)
            self.session.close()  # a new id for whoever is logged in
            self.session.open()
            self.session.keep(tokens)
        elif not self.session.tokens:
            raise Failure(FOREIGN)
        return "/"  # an address without state and code

    def logout(self):
        tokens = self.session.tokens
        self.session.close()
        if tokens:
            with suppress(Failure):  # it is in the log
                self.call("/api/v1/oauth/revoke/", {"token": tokens["refresh_token"]})
        return "/"

    routes = {"GET /": home, "POST /login": login, f"GET {SITE.path}": login_return, "POST /logout": logout}

    def answer(self):
        cookies = dict(parse_qsl(self.headers.get("Cookie", ""), separator="; "))
        self.session = sessions.get(cookies.get("session")) or Session()
        path, _, self.query = self.path.partition("?")
        route = self.routes.get(f"{self.command} {path}")
        # A form of another site must not log anybody in or out.
        if route is None or (self.command == "POST" and self.headers.get("Origin", ORIGIN) != ORIGIN):
            return self.page(404, f"Please open {ORIGIN}/")
        with self.session.lock:
            try:
                result = route(self)
            except Failure as failure:
                if path == "/":
                    return self.page(503, str(failure))
                self.session.open()
                self.session.message, result = str(failure), "/"
            if path != "/":
                return self.page(303, location=result)
            self.page(200, self.session.message, result)
            self.session.message = None

    do_GET = do_POST = answer

    def page(self, status, message=None, body='<p><a href="/">Go on</a></p>', location=None):
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.send_header("Referrer-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        if self.session.id:
            self.send_header("Set-Cookie", f"session={self.session.id}{COOKIE}")
        if location:
            self.send_header("Location", location)
        self.end_headers()
        alert = f'<p role="alert">{escape(message)}</p>' if message else ""
        self.wfile.write(f"<!doctype html><title>My site</title><h1>My site</h1>{alert}{body}".encode())

    def log_request(self, *_):
        """Nothing: the address of a return has state and code."""


print(f"My site: {ORIGIN}/", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(os.getenv("SITE_PORT") or SITE.port)), Site).serve_forever()
