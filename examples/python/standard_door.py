# A site that logs people in through Auth-movies by OpenID Connect, with Authlib in Flask. Python 3.10 or newer.
# To try it, run `npm start` in a copy of the service, and in a second terminal
#   npm run site -- add --name Example --redirect-url http://127.0.0.1:8000/return
# Paste the line `export AUTH=…` it prints, `pip install -r examples/python/requirements.txt`, run
# `python3 examples/python/standard_door.py`, and open http://127.0.0.1:8000/. For production: https in REDIRECT_URL;
# a server of WSGI in place of app.run; sessions in Redis (SESSION_TYPE); your own words and pages.
import logging
import os
from urllib.parse import urlsplit

import requests
from authlib.integrations.flask_client import OAuth, OAuthError
from cachelib import SimpleCache
from flask import Flask, abort, redirect, render_template_string, request, session
from flask_session import Session
from joserfc.errors import JoseError

AUTH, SITE_ID, SITE_SECRET, REDIRECT_URL = map(os.getenv, ("AUTH", "SITE_ID", "SITE_SECRET", "REDIRECT_URL"))
if not (AUTH and SITE_ID and SITE_SECRET and REDIRECT_URL):
    raise SystemExit("Please set AUTH, SITE_ID, SITE_SECRET and REDIRECT_URL, as `npm run site -- add` prints them.")
SITE = urlsplit(REDIRECT_URL)
PAGE = """<!doctype html><title>My site</title><h1>My site</h1>
{% if message %}<p role="alert">{{ message }}</p>{% endif %}
{% if session.person %}<b>{{ session.person.name or session.person.sub }}</b>
<form method="post" action="/logout"><button>Log out</button></form>
{% else %}<form method="post" action="/login"><button>Log in</button></form>{% endif %}"""

app = Flask(__name__)
# The browser has a random id alone, everything else stays here.
app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache(), SESSION_COOKIE_SAMESITE="Lax")
app.config.update(SESSION_COOKIE_SECURE=SITE.scheme == "https")
Session(app)
auth = OAuth(app).register(
    "auth",
    client_id=SITE_ID,
    client_secret=SITE_SECRET,
    server_metadata_url=f"{AUTH}/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256", "default_timeout": 12},
)


@app.before_request
def refuse_forms_of_other_sites():
    origin = f"{SITE.scheme}://{SITE.netloc}"
    if request.method == "POST" and request.headers.get("Origin", origin) != origin:
        abort(403)


@app.after_request
def keep_private(response):
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@app.get("/")
def home():
    return render_template_string(PAGE, message=session.pop("message", None))


@app.post("/login")
def login():
    return auth.authorize_redirect(REDIRECT_URL)  # with state, nonce and code_challenge, kept in the session


@app.get(SITE.path)
def login_return():
    try:
        # Compares state, and checks signature, iss, exp and nonce of the ID token. It would take one of another site.
        ours = {"iss": {"essential": True, "value": AUTH}, "aud": {"essential": True, "value": SITE_ID}}
        token = auth.authorize_access_token(claims_options=ours)
    except OAuthError as error:
        app.logger.warning("%s: %s", error.error, error.description)
        refused = error.error == "access_denied"
        session["message"] = "You did not allow the login." if refused else "The login did not succeed."
    except (requests.RequestException, JoseError) as error:
        app.logger.warning("%r", error)
        session["message"] = "The login did not succeed."
    else:
        session["person"] = token["userinfo"]  # sub is the key of your users, never the email
        session["refresh_token"] = token["refresh_token"]
        app.session_interface.regenerate(session)  # a new id; an empty session would keep its own
    return redirect("/", 303)  # an address without state and code


@app.post("/logout")
def logout():
    token = session.get("refresh_token")
    session.clear()
    if token:
        try:
            address = auth.load_server_metadata()["revocation_endpoint"]
            requests.post(address, {"token": token}, auth=(SITE_ID, SITE_SECRET), timeout=4).raise_for_status()
        except requests.RequestException as error:
            app.logger.warning("%r", error)
    return redirect("/", 303)


@app.errorhandler(requests.RequestException)
def later(error):
    app.logger.warning("%r", error)
    return "Logging in does not work at the moment. Please try again a little later.", 503


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # the address of a return has state and code
    print(f"My site: {SITE.scheme}://{SITE.netloc}/", flush=True)
    app.run(host="127.0.0.1", port=int(os.getenv("SITE_PORT") or SITE.port))
