"""A site as the documentation of Authlib has it: nothing but issuer, id and secret is configured."""

import os
import sys

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebToken
from authlib.oidc.core import CodeIDToken

metadata = requests.get(os.environ["ISSUER"] + "/.well-known/openid-configuration", timeout=10).json()
client = OAuth2Session(
    os.environ["CLIENT_ID"],
    os.environ["CLIENT_SECRET"],
    scope="openid profile email",
    redirect_uri=os.environ["REDIRECT_URI"],
    code_challenge_method="S256",
)
verifier = "a-verifier-of-authlib-that-is-long-enough-0123456789"
address, state = client.create_authorization_url(
    metadata["authorization_endpoint"], nonce="nonce-of-authlib", code_verifier=verifier
)
print("authorization_url", address, flush=True)
back = sys.stdin.readline().strip()
token = client.fetch_token(
    metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
)
keys = requests.get(metadata["jwks_uri"], timeout=10).json()
claims = JsonWebToken(["RS256"]).decode(
    token["id_token"],
    keys,
    claims_cls=CodeIDToken,
    claims_options={"iss": {"values": [metadata["issuer"]]}, "aud": {"value": client.client_id}},
    claims_params={"nonce": "nonce-of-authlib", "client_id": client.client_id, "access_token": token["access_token"]},
)
claims.validate()
print("name", claims["name"])
userinfo = client.get(metadata["userinfo_endpoint"], timeout=10).json()
print("email", userinfo["email"])
print("same", str(userinfo["sub"] == claims["sub"]).lower())
fresh = client.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
print("refreshed", str(fresh["access_token"] != token["access_token"]).lower())
client.revoke_token(metadata["revocation_endpoint"], token=fresh["refresh_token"])
print("ended", client.get(metadata["userinfo_endpoint"], timeout=10).status_code)
