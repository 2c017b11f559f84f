import { expect, test } from "bun:test";
import { formatMetrics } from "./metrics.ts";
import type { ProxyStatus } from "./status.ts";

const ports = { inUse: 0, resting: 0, total: 0 };
const status: ProxyStatus = {
  proxy: "dmz",
  state: "running",
  since: "2026-11-24T00:00:00.000Z",
  config: { sha256: "", loadedAt: "", error: null },
  listening: { sipInside: [] },
  sip: {
    connections: 1,
    flows: 2,
    flowsDead: 0,
    keepAlives: { crlf: 0, options: 0, stun: 0 },
    transactions: 3,
    dialogs: 4,
  },
  media: {
    sessions: 5,
    streams: 6,
    portsInUse: 7,
    portsResting: 8,
    portsTotal: 9,
    offloaded: 0,
    engine: "loop",
    inside: ports,
  },
  xmpp: { clients: 3, fromClients: 1000, toClients: 2000 },
  http: { requests: 7 },
  drops: { malformed: 10 },
  bans: [],
  calls: { ended: { good: 7, "phone-never-sent": 2 } },
  instances: {
    a: {
      reachable: true,
      reason: null,
      targets: [],
      dns: null,
      routing: "path",
      routingReason: "",
      flows: 0,
      sessions: 0,
      requests: 0,
      dialogs: 11,
      bans: 12,
      xmppClients: 3,
    },
    b: {
      reachable: null,
      reason: null,
      targets: [],
      dns: null,
      routing: "path",
      routingReason: "",
      flows: 0,
      sessions: 0,
      requests: 0,
      dialogs: 11,
      bans: 12,
      xmppClients: 3,
    },
  },
  warnings: [],
};

test("every figure is a metric with help and type", () => {
  const text = formatMetrics(status);
  expect(text).toContain('# TYPE pequod_sip_dialogs gauge\npequod_sip_dialogs{proxy="dmz"} 4\n');
  expect(text).toContain('pequod_drops_total{proxy="dmz",reason="malformed"} 10\n');
  expect(text).toContain('pequod_calls_ended_total{proxy="dmz",diagnosis="good"} 7\n');
  expect(text).toContain('pequod_instance_reachable{proxy="dmz",instance="a"} 1\n');
  expect(text).toContain('pequod_http_requests_total{proxy="dmz"} 7\n');
  expect(text).toContain('pequod_bans{proxy="dmz"} 0\n');
  expect(text).toContain('pequod_instance_requests{proxy="dmz",instance="a"} 0\n');
  expect(text).toContain('pequod_instance_flows{proxy="dmz",instance="a"} 0\n');
  expect(text).toContain('pequod_instance_dialogs{proxy="dmz",instance="a"} 11\n');
  expect(text).toContain('pequod_instance_bans{proxy="dmz",instance="a"} 12\n');
  expect(text).not.toContain('pequod_instance_reachable{proxy="dmz",instance="b"}');
  for (const line of text.trim().split("\n")) {
    expect(line).toMatch(/^(# (HELP|TYPE) pequod_\w+ .+|pequod_\w+\{[^}]*\} \d+)$/);
  }
});

test("a label cannot break out of its quotes", () => {
  expect(formatMetrics({ ...status, proxy: 'a"b\\c\nd' })).toContain('{proxy="a\\"b\\\\c\\nd"}');
});
