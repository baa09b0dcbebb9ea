#!/usr/bin/env python3
"""One filter of the prime sieve, in Python with its standard library: what the process `sieve-filter` is in TypeScript.

In Go:  prime := <-in; primes <- prime; for n := range in { if n%prime != 0 { out <- n } }; close(out)

Arguments: base URL, name of the sieve, number of the filter.
"""

import json
import sys
import time
import urllib.error
import urllib.request
import uuid

base, sieve, k = sys.argv[1], sys.argv[2], int(sys.argv[3])


def post(path, body, tries=300):
    """Repeats what nobody was there for, and what was not answered, under one Request-Id: nothing is lost or doubled."""
    headers = {"Content-Type": "application/json", "Request-Id": str(uuid.uuid4())}
    for _ in range(tries):
        request = urllib.request.Request(base + path, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            if json.load(refusal)["code"] not in ("not_ready", "no_leader", "overloaded", "timeout"):
                raise
        except OSError:
            time.sleep(1)
    sys.exit("nobody was there")


prime = None
while True:
    received = post(f"/channel/{sieve}-{k}/recv?wait=10", {})
    if not received["Ok"]:
        break
    number = received["Data"]
    if prime is None:
        prime = number
        post(f"/channel/{sieve}-primes/send?wait=10", {"Data": {"prime": prime, "by": "Python"}})
    elif number % prime != 0:
        post(f"/channel/{sieve}-{k + 1}/send?wait=10", {"Data": number})
post(f"/channel/{sieve}-{k + 1}/close", {})
