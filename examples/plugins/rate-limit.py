#!/usr/bin/env python3
"""So many events a minute from each address; what remembers, runs as one process.

    rate-limit.py 30
"""

import collections
import json
import sys

allowed = int(sys.argv[1])
seen = collections.defaultdict(collections.deque)

for line in sys.stdin:
    question = json.loads(line)
    answer = {"id": question["event"]["id"], "action": "accept"}
    if question["sourceType"] in ("IP4", "IP6"):
        now = question["receivedAt"]
        times = seen[question["sourceInfo"]]
        while times and times[0] <= now - 60:
            times.popleft()
        if len(times) >= allowed:
            answer["action"] = "reject"
            answer["msg"] = f"rate-limited: at most {allowed} events a minute"
        else:
            times.append(now)
    print(json.dumps(answer), flush=True)
