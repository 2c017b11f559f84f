"""gajim.py PORT starttls|direct DOMAIN: users 120 and 130, as Gajim is (nbxmpp on GLib, TLS by GnuTLS), sign in by
SCRAM through the proxy, read their rosters and write to each other. Prints one JSON line."""
import json
import sys
import time

from gi.repository import GLib
from nbxmpp.client import Client
from nbxmpp.const import ConnectionProtocol, ConnectionType
from nbxmpp.protocol import Message, Presence
from nbxmpp.structs import StanzaHandler

HOST = "203.0.113.1"
port, mode, domain = sys.argv[1], sys.argv[2], sys.argv[3]
kind = ConnectionType.DIRECT_TLS if mode == "direct" else ConnectionType.START_TLS
RUN = f" {time.time_ns()}"
loop = GLib.MainLoop()
found = {"rosters": 0, "bodies": []}
clients = {}


def end(**more):
    print(json.dumps({**found, **more}), flush=True)
    loop.quit()


def on_message(_client, _stanza, properties):
    # What an earlier run left unacknowledged is delivered once more (XEP-0198).
    if not (properties.body or "").endswith(RUN):
        return
    found["bodies"].append(properties.body.removesuffix(RUN))
    if len(found["bodies"]) == 2:
        found["bodies"].sort()
        end(tls=str(clients["120"].tls_version))


def on_roster(task):
    task.finish()
    found["rosters"] += 1
    if found["rosters"] < 2:
        return
    for user, other in (("120", "130"), ("130", "120")):
        clients[user].send_stanza(Message(f"{other}@{domain}", f"from {user}{RUN}", typ="chat"))


def on_connected(client, *_):
    client.send_stanza(Presence())
    client.get_module("Roster").request_roster(callback=on_roster)


def on_failed(client, signal, *_):
    error = client.get_error()
    end(problem=f"{signal}: {error}")


def sign_in(user):
    client = Client(log_context=user)
    client.set_domain(domain)
    client.set_username(user)
    client.set_resource("gajim")
    client.set_password(f"secret{user}")
    client.set_mechs({"SCRAM-SHA-256", "SCRAM-SHA-1"})
    client.set_connection_types([kind])
    client.set_custom_host(f"{HOST}:{port}", ConnectionProtocol.TCP, kind)
    client.subscribe("connected", on_connected)
    client.subscribe("connection-failed", on_failed)
    client.subscribe("disconnected", on_failed)
    client.register_handler(StanzaHandler(name="message", callback=on_message, typ="chat"))
    clients[user] = client
    client.connect()


for one in ("120", "130"):
    sign_in(one)
GLib.timeout_add_seconds(20, lambda: end(problem="nothing more came"))
loop.run()
