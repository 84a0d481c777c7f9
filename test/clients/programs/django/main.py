"""A site in Django with python-social-auth: its generic backend of OpenID Connect, with issuer, id and secret alone."""

import os
import sys
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.urls import include, path

settings.configure(
    SECRET_KEY="of-the-site-alone",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    LOGIN_REDIRECT_URL="/in",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "social_django",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    AUTHENTICATION_BACKENDS=["social_core.backends.open_id_connect.OpenIdConnectAuth"],
    SOCIAL_AUTH_OIDC_OIDC_ENDPOINT=os.environ["ISSUER"],
    SOCIAL_AUTH_OIDC_KEY=os.environ["CLIENT_ID"],
    SOCIAL_AUTH_OIDC_SECRET=os.environ["CLIENT_SECRET"],
)
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

urlpatterns = [path("", include("social_django.urls", namespace="social"))]
call_command("migrate", verbosity=0)
site = Client(HTTP_HOST="127.0.0.1:8765")
begun = site.post("/login/oidc/")
print("authorization_url", begun["Location"], flush=True)
back = urlsplit(sys.stdin.readline().strip())
ended = site.get(f"{back.path}?{back.query}")
person = User.objects.get()
print("went", ended["Location"])
print("name", person.get_full_name())
print("email", person.email)
print("subject", person.social_auth.get().uid)
