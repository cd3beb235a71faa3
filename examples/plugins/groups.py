#!/usr/bin/env python3
"""Group messages (kind 445) are for members: who may ask for them, and who sees which.

    groups.py members.json      {"GROUP": ["KEY IN HEX", ...], ...}

Runs with asks = ["event", "request", "viewer"] and kinds = [445].
"""

import json
import sys


def groups_of(keys):
    with open(sys.argv[1], encoding="utf-8") as file:
        members = json.load(file)
    return [group for group, names in members.items() if set(names) & set(keys)]


def publish(question):
    event = question["event"]
    own = groups_of([event["pubkey"]])
    # Every group that it names, and one at least. A tag may lack its value.
    named = [tag[1:2] for tag in event["tags"] if tag[:1] == ["h"]]
    if named and all(name and name[0] in own for name in named):
        return {"action": "accept"}
    return {"action": "reject", "msg": "restricted: you are not in this group"}


def request(question):
    if "authed" in question:
        return {"action": "accept"}
    return {"action": "reject", "msg": "auth-required: groups are for their members"}


def viewer(question):
    groups = groups_of(question.get("authedKeys", []))
    return {"action": "accept", "show": [{"kinds": [445], "#h": groups}], "ttl": 60}


for line in sys.stdin:
    question = json.loads(line)
    if question["type"] == "new":
        answer = publish(question) | {"id": question["event"]["id"]}
    elif question["type"] == "viewer":
        answer = viewer(question) | {"id": question["id"]}
    else:
        answer = request(question) | {"id": question["id"]}
    print(json.dumps(answer), flush=True)
