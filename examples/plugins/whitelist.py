#!/usr/bin/env python3
"""Lets those publish whose key stands in a file, one in hex a line.

    whitelist.py members.txt
"""

import json
import sys


def members():
    with open(sys.argv[1], encoding="utf-8") as lines:
        return {line.strip() for line in lines if line.strip()}


for line in sys.stdin:
    question = json.loads(line)
    answer = {"id": question["event"]["id"], "action": "accept"}
    # Read anew each time: the list may change while the relay runs.
    if question["event"]["pubkey"] not in members():
        answer["action"] = "reject"
        answer["msg"] = "blocked: only members publish here"
    print(json.dumps(answer), flush=True)
