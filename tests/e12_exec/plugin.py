#!/usr/bin/env python3
"""A plugin that does what the event's content says. It notes its process id and what it was asked."""

import json
import os
import subprocess
import sys
import threading
import time

VERDICT = "accept"


def note(file, text):
    with open(file, "a", encoding="utf-8") as notes:
        notes.write(text + "\n")


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def answer(event_id, action, msg=""):
    say(json.dumps({"id": event_id, "action": action, "msg": msg}) + "\n")


note("pids", str(os.getpid()))
with open("pids", encoding="utf-8") as pids:
    first = len(pids.readlines()) == 1
held = []
for line in sys.stdin:
    note("asked", line.rstrip("\n"))
    event = json.loads(line)["event"]
    event_id, (word, _, rest) = event["id"], event["content"].partition(" ")
    if word == "hang":
        time.sleep(60)
    elif word == "exit":
        sys.exit(3)
    elif word == "slow":
        time.sleep(0.3)
        answer(event_id, "reject", "blocked: thought about")
    elif word == "later" and first:
        pass
    elif word == "later":
        threading.Timer(0.3, answer, [event_id, "accept"]).start()
    elif word == "poison":
        os._exit(6)
    elif word == "environment":
        answer(event_id, "reject", " ".join(sorted(os.environ)))
    elif word == "half":
        say('{"id":"' + event_id)
        sys.exit(4)
    elif word == "last":
        answer(event_id, "reject", "blocked: last words")
        sys.exit(0)
    elif word == "noise":
        say("hello, world\n\n[1]\n{}\n")
        answer("0" * 64, "accept")
        print("something is odd", "x" * 5000, file=sys.stderr, flush=True)
        answer(event_id, "accept")
        answer(event_id, "reject")
    elif word == "huge":
        say("x" * 1_000_000 + "\n")
    elif word == "odd":
        say(json.dumps({"id": event_id, "action": "perhaps"}) + "\n")
    elif word == "orphan":
        child = subprocess.Popen(["sleep", "60"])
        note("pids", str(child.pid))
        sys.exit(5)
    elif word == "reject":
        answer(event_id, "reject", rest)
    elif word == "shadow":
        answer(event_id, "shadowReject")
    elif word == "held":
        held.append((event_id, rest))
        if len(held) == 8:
            for event_id, rest in reversed(held):
                answer(event_id, "reject", "blocked: " + rest)
            held = []
    else:
        answer(event_id, VERDICT, "blocked: no event passes")
