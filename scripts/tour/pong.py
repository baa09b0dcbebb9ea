#!/usr/bin/env python3
"""The answering half of the tour's ping-pong: an slct process in Python, standard library only.

In Go:  for v := range ping { pong <- v }

All that it knows is in the state: it may be killed at any point and started again. Every request may be repeated: a
put-back carries its Lock and a Request-Id, so a lost answer loses nothing and doubles nothing.

Environment: BASES, the base URLs of the nodes, separated by spaces.
"""

import itertools
import json
import os
import sys
import time
import urllib.error
import urllib.request

STATE = "tour-pong"
bases = os.environ["BASES"].split()
nodes = itertools.cycle(bases)
reported = set()


def request(method, path, body=None, request_id=None):
    """Asks one node after the other, a different one each time, until one gives an answer. Returns (status, JSON)."""
    for tries in range(1, 300):
        base = next(nodes)
        call = urllib.request.Request(base + path, method=method)
        if body is not None:
            call.data = json.dumps(body).encode()
            call.add_header("Content-Type", "application/json")
        if request_id is not None:
            call.add_header("Request-Id", request_id)
        try:
            with urllib.request.urlopen(call, timeout=40) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            # 503: nothing happened. 504: perhaps it did. Either way the same request again is right.
            if refusal.code not in (503, 504):
                return refusal.code, json.load(refusal)
            report(base, refusal.code)
        except OSError as error:
            report(base, getattr(error, "reason", error))
        if tries % len(bases) == 0:
            time.sleep(0.2)
    sys.exit("no node answers")


def report(base, trouble):
    """Tells of a trouble once per node."""
    if (base, str(trouble)) not in reported:
        reported.add((base, str(trouble)))
        print(f"{base}: {trouble}; trying the next node", flush=True)


def select(case):
    return [{"ID": "1", "Cases": [case]}]


def next_step(data, result):
    """One turn of the loop: what to keep and what to wait for next."""
    if result.get("Closed"):
        return data, []
    if result["Op"] == 2:
        return data, select({"Op": "recv", "Chan": "tour-ping"})
    value = result["Data"]
    return {"Seen": data["Seen"] + [value]}, select({"Op": "send", "Chan": "tour-pong", "Data": value})


def main():
    first = {"Data": {"Seen": []}, "Selects": select({"Op": "recv", "Chan": "tour-ping"})}
    status, answer = request("PUT", f"/state/{STATE}", first, f"{STATE}-create")
    if status not in (200, 201):
        sys.exit(f"could not create the state: {answer}")
    held = None
    while True:
        if held is None:
            _, states = request("GET", f"/state/poll?prefix={STATE}&wait=20&lease=5")
            if not states:
                continue
            held = states[0]
        data, selects = next_step(held["Data"], held["Results"][0])
        body = {"Lock": held["Lock"], "Data": data, "Selects": selects}
        wait = "?wait=20&lease=5" if selects else ""
        status, answer = request("PUT", f"/state/{STATE}{wait}", body, f"{STATE}-{held['Version']}")
        if status == 200 and answer["Status"] == "done":
            print(f"done after {len(data['Seen'])} pings", flush=True)
            return
        if status not in (200, 409):
            sys.exit(f"refused: {answer}")
        # Woken within the wait: the answer is the state, handed out again. Otherwise, or if the lease is lost: poll.
        held = answer if status == 200 and "Lock" in answer else None


main()
