#!/usr/bin/env bash
# The numbers from 2 on, for the prime sieve, in bash with curl. In Go:  for n := 2; n <= most; n++ { out <- n }; close(out)
# Arguments: base URL, name of the sieve, the largest number.
set -euo pipefail
base=$1 sieve=$2 most=$3

for ((n = 2; n <= most; n++)); do
  # One Request-Id for each number: a repeat is the same request. 409: nobody received within the wait.
  until curl -sS --fail --retry 20 --retry-all-errors --retry-delay 1 -o /dev/null -X POST -H "Request-Id: $sieve-$n" \
    -H 'Content-Type: application/json' -d "{\"Data\": $n}" "$base/channel/$sieve-0/send?wait=10"; do :; done
done
curl -sS --fail -o /dev/null -X POST -H 'Content-Type: application/json' -d '{}' "$base/channel/$sieve-0/close"
