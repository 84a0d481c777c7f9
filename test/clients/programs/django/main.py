"""A site in Django with python-social-auth: its generic backend of OpenID Connect, with issuer, id and secret alone."""

import sys
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.urls import include, path

# The lines of the guide, with the values of the test.
lines = {}
exec(sys.argv[1], lines)
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
    **{name: value for name, value in lines.items() if name.isupper()},
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
