#!/usr/bin/env python3
"""So many events a minute from each address; what remembers, runs as one process.

    rate-limit.py 30 [ADDRESSES]

Whoever has one IPv6 address has its whole /64, so that counts as one. What was accepted is forgotten after a minute, and
earlier where more addresses than ADDRESSES (100000) come: first that of the one who was silent for longest.
"""

import collections
import ipaddress
import json
import sys

allowed = int(sys.argv[1])
addresses_max = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
# When the last events of each were accepted; whoever was silent for longest comes first.
seen = collections.OrderedDict()


def one_client(address):
    address = ipaddress.ip_address(address)
    if address.version == 4:
        return address
    return address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False)


def forget(now):
    while seen:
        client, times = next(iter(seen.items()))
        if times[-1] > now - 60 and len(seen) <= addresses_max:
            break
        del seen[client]


for line in sys.stdin:
    question = json.loads(line)
    answer = {"id": question["event"]["id"], "action": "accept"}
    if question["sourceType"] in ("IP4", "IP6"):
        now = question["receivedAt"]
        forget(now)
        client = one_client(question["sourceInfo"])
        times = seen.get(client, collections.deque())
        while times and times[0] <= now - 60:
            times.popleft()
        if len(times) >= allowed:
            answer["action"] = "reject"
            answer["msg"] = f"rate-limited: at most {allowed} events a minute"
        else:
            times.append(now)
            seen[client] = times
            seen.move_to_end(client)
            forget(now)
    print(json.dumps(answer), flush=True)
