"""Prints the user of each token that comes by standard input, a line each, or "refused"."""

import os
import sys

AUTH = os.environ["AUTH"]
SITE_ID = os.environ["SITE_ID"]

# The guide's sample stands in this file, beside the program.
exec(compile(open("sample.py", encoding="utf-8").read(), "sample.py", "exec"))

for line in sys.stdin:
    try:
        print(user_of(line.strip()))
    except jwt.PyJWTError as error:
        print("refused", error)
