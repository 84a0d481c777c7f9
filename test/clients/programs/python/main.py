"""Logs a person in through the client that openapi-generator's current release makes."""

import os
import sys

import authmovies

site = authmovies.Configuration(
    host=os.environ["AUTH_URL"],
    username=os.environ["SITE_ID"],
    password=os.environ["SITE_SECRET"],
)
login = authmovies.LoginApi(authmovies.ApiClient(site))
sessions = authmovies.SessionsApi(authmovies.ApiClient(site))


def tell(name, value):
    print(name, value, flush=True)


def profile_of(access_token):
    person = authmovies.Configuration(host=os.environ["AUTH_URL"], access_token=access_token)
    return authmovies.UsersApi(authmovies.ApiClient(person)).get_profile()


def problem_of(call):
    try:
        call()
    except authmovies.ApiException as refusal:
        return refusal.data
    sys.exit("It was not refused.")


started = login.start_login(provider="yandex", client_redirect_url=os.environ["REDIRECT_URL"])
tell("state", started.state)
tell("authorize_url", started.authorize_url)

code = sys.stdin.readline().strip()
pair = login.finish_login(provider="yandex", state=started.state, code=code)
tell("token_type", pair.token_type)
tell("expires_in", pair.expires_in)
tell("name", profile_of(pair.access_token).name)

following = sessions.refresh_tokens(refresh_token=pair.refresh_token)
tell("refreshed", str(following.refresh_token != pair.refresh_token).lower())

introspection = sessions.introspect_token(token=following.access_token)
tell("active", str(introspection.active).lower())
tell("audience", introspection.aud[0])

sessions.revoke_token(token=following.refresh_token)
tell("ended", problem_of(lambda: profile_of(following.access_token)).type)
refused = problem_of(lambda: login.finish_login(provider="yandex", state="not-a-state", code="not-a-code"))
tell("refused", refused.type)
tell("message", refused.user_message)
