#!/usr/bin/env python3
"""What the tests need beside LiveKit's server: a real participant, and somebody with the server's own key.

    livekit-participant.py join URL TOKEN         joins, says what happens, and leaves when its standard input ends
    livekit-participant.py record URL KEY SECRET ROOM
                                                  the same as a recorder, as LiveKit's own recording service does it
    livekit-participant.py delete URL KEY SECRET ROOM
                                                  ends a room

What happens is said on standard output, one JSON object a line. `requirements.txt` beside this file says what it needs.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import sys
import time
import urllib.request


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def sign(key, secret, identity, video):
    """A token as an operator signs it: HS256, for five minutes."""

    def part(of):
        return base64.urlsafe_b64encode(of).rstrip(b"=")

    now = int(time.time())
    claims = {"iss": key, "sub": identity, "nbf": now - 5, "exp": now + 300, "video": video}
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    text = b".".join(part(json.dumps(it).encode()) for it in parts)
    mac = hmac.new(secret.encode(), text, hashlib.sha256)
    return (text + b"." + part(mac.digest())).decode()


async def join(url, token):
    from livekit import rtc

    # The library says at length what is said here in short.
    logging.disable(logging.CRITICAL)
    room = rtc.Room()
    over = asyncio.Event()

    @room.on("disconnected")
    def disconnected(reason):
        say("disconnected", reason=rtc.DisconnectReason.Name(reason))
        over.set()

    @room.on("participant_connected")
    def somebody_came(participant):
        say("came", identity=participant.identity)

    @room.on("participant_disconnected")
    def somebody_went(participant):
        say("went", identity=participant.identity)

    @room.on("track_subscribed")
    def track(track, publication, participant):
        say("track", kind=rtc.TrackKind.Name(track.kind), identity=participant.identity)

    try:
        await room.connect(url, token)
    except rtc.ConnectError as error:
        say("refused", why=str(error))
        return
    say("connected", room=room.name, identity=room.local_participant.identity)
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await asyncio.wait([ended, asyncio.ensure_future(over.wait())], return_when=asyncio.FIRST_COMPLETED)
    await room.disconnect()


def delete(url, key, secret, name):
    token = sign(key, secret, "operator", {"roomCreate": True})
    request = urllib.request.Request(
        url.replace("ws", "http", 1) + "/twirp/livekit.RoomService/DeleteRoom",
        data=json.dumps({"room": name}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        say("deleted", status=answer.status)


def main():
    match sys.argv[1:]:
        case ["join", url, token]:
            asyncio.run(join(url, token))
        case ["record", url, key, secret, name]:
            grant = {"room": name, "roomJoin": True, "recorder": True, "hidden": True, "canSubscribe": True}
            asyncio.run(join(url, sign(key, secret, "EG_test", grant)))
        case ["delete", url, key, secret, name]:
            delete(url, key, secret, name)
        case _:
            sys.exit(__doc__)


main()
