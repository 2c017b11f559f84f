/** A status as Prometheus text (exposition format 0.0.4). */
import type { ProxyStatus } from "./status.ts";

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

function escapeLabel(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}

function metric(name: string, type: "gauge" | "counter", help: string, samples: Sample[]): string {
  const lines = samples.map(([labels, value]) => {
    const text = Object.entries(labels).map(([key, one]) => `${key}="${escapeLabel(one)}"`);
    return `pequod_${name}{${text.join(",")}} ${value}`;
  });
  return [`# HELP pequod_${name} ${help}`, `# TYPE pequod_${name} ${type}`, ...lines, ""].join(
    "\n",
  );
}

export function formatMetrics(status: ProxyStatus): string {
  const { proxy, sip, media, xmpp } = status;
  const one = (value: number): Sample[] => [[{ proxy }, value]];
  const instances = Object.entries(status.instances);
  const of = (figure: "flows" | "requests" | "dialogs" | "bans" | "xmppClients"): Sample[] =>
    instances.map(([name, instance]) => [{ proxy, instance: name }, instance[figure]]);
  const drops = Object.entries(status.drops);
  return [
    metric("up", "gauge", "1 while the proxy runs.", one(status.state === "running" ? 1 : 0)),
    metric("sip_connections", "gauge", "Connections of phones.", one(sip.connections)),
    metric("sip_flows", "gauge", "Registered contacts.", one(sip.flows)),
    metric("sip_flows_dead", "gauge", "Flows of phones that answer nothing.", one(sip.flowsDead)),
    metric(
      "sip_keep_alives_total",
      "counter",
      "Keep-alives sent to phones (crlf, options) and STUN requests of theirs.",
      Object.entries(sip.keepAlives).map(([kind, count]) => [{ proxy, kind }, count]),
    ),
    metric("sip_transactions", "gauge", "SIP transactions.", one(sip.transactions)),
    metric("sip_dialogs", "gauge", "Calls, ringing ones included.", one(sip.dialogs)),
    metric("media_sessions", "gauge", "Calls with media.", one(media.sessions)),
    metric("media_streams", "gauge", "Media streams.", one(media.streams)),
    metric("media_ports_in_use", "gauge", "Port pairs in use.", one(media.portsInUse)),
    metric("media_ports_resting", "gauge", "Port pairs that rest.", one(media.portsResting)),
    metric("media_ports_total", "gauge", "Port pairs in all.", one(media.portsTotal)),
    metric("http_requests_total", "counter", "Requests by HTTP.", one(status.http.requests)),
    metric("xmpp_clients", "gauge", "XMPP clients with their instance.", one(xmpp.clients)),
    metric("xmpp_bytes_total", "counter", "Bytes of XMPP clients, from and to them.", [
      [{ proxy, direction: "from" }, xmpp.fromClients],
      [{ proxy, direction: "to" }, xmpp.toClients],
    ]),
    metric(
      "instance_reachable",
      "gauge",
      "1 reachable, 0 not, absent while unknown.",
      instances
        .filter(([, instance]) => instance.reachable !== null)
        .map(([name, instance]) => [{ proxy, instance: name }, instance.reachable ? 1 : 0]),
    ),
    metric(
      "instance_requests",
      "gauge",
      "Requests that wait for an instance, or for a phone's answer to it.",
      of("requests"),
    ),
    metric("instance_flows", "gauge", "Registered contacts of an instance.", of("flows")),
    metric("instance_dialogs", "gauge", "Calls of an instance, ringing included.", of("dialogs")),
    metric("instance_xmpp_clients", "gauge", "XMPP clients of an instance.", of("xmppClients")),
    metric("instance_bans", "gauge", "Users of an instance that are kept out.", of("bans")),
    metric("bans", "gauge", "Addresses and users that are kept out.", one(status.bans.length)),
    metric(
      "calls_ended_total",
      "counter",
      "Calls with media that have ended, by diagnosis.",
      Object.entries(status.calls.ended).map(([diagnosis, count]) => [{ proxy, diagnosis }, count]),
    ),
    metric(
      "drops_total",
      "counter",
      "Messages and packets dropped or refused, by reason.",
      drops.map(([reason, count]) => [{ proxy, reason }, count]),
    ),
  ].join("");
}
