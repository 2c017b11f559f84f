"""talk.py PORT starttls|direct CA DOMAIN: users 100 and 110 sign in through the proxy, read their rosters, write
to each other, and one of them loses its connection and resumes its session (XEP-0198). Prints one JSON line."""
import asyncio
import json
import sys

import slixmpp

HOST = "203.0.113.1"
port, mode, ca, domain = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
BIG = 150_000


class Client(slixmpp.ClientXMPP):
    def __init__(self, user):
        super().__init__(f"{user}@{domain}", f"secret{user}")
        self.ca_certs = ca
        self.enable_direct_tls = mode == "direct"
        self.enable_starttls = mode != "direct"
        self.enable_plaintext = False
        self.register_plugin("xep_0198")
        self.mailbox = asyncio.Queue()
        self.up = asyncio.get_running_loop().create_future()
        self.resumed = asyncio.get_running_loop().create_future()
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("session_resumed", lambda _: self.done(self.resumed, True))
        self.add_event_handler("failed_all_auth", lambda _: self.failed("not authenticated"))
        self.add_event_handler("message", lambda m: self.mailbox.put_nowait(m["body"]))

    def done(self, future, value):
        if not future.done():
            future.set_result(value)

    def failed(self, why):
        if not self.up.done():
            self.up.set_exception(Exception(why))

    async def started(self, _):
        self.send_presence()
        roster = await self.get_roster()
        self.done(self.up, roster["type"])


async def talk():
    a, b = Client("100"), Client("110")
    for client in (a, b):
        client.connect(HOST, port)
    rosters = await asyncio.wait_for(asyncio.gather(a.up, b.up), 20)
    a.send_message(mto=f"110@{domain}", mbody=f"hello from {domain}", mtype="chat")
    there = await asyncio.wait_for(b.mailbox.get(), 10)
    b.send_message(mto=f"100@{domain}", mbody="x" * BIG, mtype="chat")
    back = await asyncio.wait_for(a.mailbox.get(), 10)
    tls = a.transport.get_extra_info("ssl_object").version()
    a.transport.abort()
    b.send_message(mto=f"100@{domain}", mbody="while you were away", mtype="chat")
    await asyncio.sleep(0.2)
    a.connect(HOST, port)
    await asyncio.wait_for(a.resumed, 20)
    away = await asyncio.wait_for(a.mailbox.get(), 10)
    return {
        "rosters": list(rosters),
        "there": there,
        "back": len(back),
        "away": away,
        "tls": tls,
        "mechanism": a.plugin["feature_mechanisms"].mech.name,
    }


async def main():
    try:
        print(json.dumps(await talk()), flush=True)
    except Exception as problem:
        print(json.dumps({"problem": str(problem) or type(problem).__name__}), flush=True)


asyncio.run(main())
