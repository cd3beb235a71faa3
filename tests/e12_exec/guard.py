#!/usr/bin/env python3
"""Shows every viewer all for a second. It notes that it was asked, and hangs while a file says so."""

import json
import os
import sys
import time

name = sys.argv[1]
for line in sys.stdin:
    with open(name, "a", encoding="utf-8") as notes:
        notes.write("asked\n")
    while os.path.exists(name + ".hang"):
        time.sleep(0.05)
    answer = {"action": "accept", "show": "all", "ttl": 1}
    print(json.dumps(answer | {"id": json.loads(line)["id"]}), flush=True)
