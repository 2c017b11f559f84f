/**
 * Header names: compact forms (IANA "Header Fields" of SIP parameters), the lower-case long form used as
 * the key everywhere, and the spelling we write. The tables are built once; names a peer made up are
 * never stored, so they cannot grow.
 */

const LONG_NAMES = [
  ..."Accept Accept-Contact Accept-Encoding Accept-Language Accept-Resource-Priority".split(" "),
  ..."Alert-Info Allow Allow-Events Answer-Mode Authentication-Info Authorization".split(" "),
  ..."Call-ID Call-Info Contact Content-Disposition Content-Encoding Content-ID".split(" "),
  ..."Content-Language Content-Length Content-Type CSeq Date Diversion Error-Info Event".split(" "),
  ..."Expires Feature-Caps Flow-Timer From Geolocation History-Info Identity Identity-Info".split(
    " ",
  ),
  ..."In-Reply-To Info-Package Join Max-Breadth Max-Forwards MIME-Version Min-Expires".split(" "),
  ..."Min-SE Organization P-Access-Network-Info P-Asserted-Identity P-Associated-URI".split(" "),
  ..."P-Called-Party-ID P-Preferred-Identity Path Permission-Missing Priority Privacy".split(" "),
  ..."Priv-Answer-Mode Proxy-Authenticate Proxy-Authorization Proxy-Require RAck Reason".split(" "),
  ..."Record-Route Recv-Info Refer-Sub Refer-To Referred-By Reject-Contact".split(" "),
  ..."Remote-Party-ID Replaces Reply-To Request-Disposition Require Resource-Priority".split(" "),
  ..."Retry-After Route RSeq Security-Client Security-Server Security-Verify Server".split(" "),
  ..."Service-Route Session-Expires Session-ID SIP-ETag SIP-If-Match Subject".split(" "),
  ..."Subscription-State Supported Suppress-If-Match Target-Dialog Timestamp To".split(" "),
  ..."Unsupported User-Agent Via Warning WWW-Authenticate".split(" "),
];

const COMPACT_FORMS = {
  a: "accept-contact",
  b: "referred-by",
  c: "content-type",
  d: "request-disposition",
  e: "content-encoding",
  f: "from",
  i: "call-id",
  j: "reject-contact",
  k: "supported",
  l: "content-length",
  m: "contact",
  n: "identity-info",
  o: "event",
  r: "refer-to",
  s: "subject",
  t: "to",
  u: "allow-events",
  v: "via",
  x: "session-expires",
  y: "identity",
} as const;

const spelling = new Map<string, string>();
const keyBySpelling = new Map<string, string>();
for (const name of LONG_NAMES) {
  const key = name.toLowerCase();
  spelling.set(key, name);
  keyBySpelling.set(key, key);
  keyBySpelling.set(name, key);
}
for (const [compact, key] of Object.entries(COMPACT_FORMS)) {
  keyBySpelling.set(compact, key);
  keyBySpelling.set(compact.toUpperCase(), key);
}

/** The key of a name that is spelled as usual; undefined for a rare one, which still needs checking. */
export function commonHeaderKey(name: string): string | undefined {
  return keyBySpelling.get(name);
}

/** The key of any name: lower-case long form ("v" and "VIA" give "via"). */
export function headerKey(name: string): string {
  const common = keyBySpelling.get(name);
  if (common !== undefined) return common;
  const lower = name.toLowerCase();
  return keyBySpelling.get(lower) ?? lower;
}

/** The spelling we write for a key: "call-id" gives "Call-ID", "x-odd-name" gives "X-Odd-Name". */
export function headerSpelling(key: string): string {
  return spelling.get(key) ?? key.replace(/(^|-)([a-z])/g, (match) => match.toUpperCase());
}
