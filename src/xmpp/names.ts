/** The namespaces that mean something here. All else passes unread. */
export const STREAMS = "http://etherx.jabber.org/streams";
export const CLIENT = "jabber:client";
export const STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams";
export const TLS = "urn:ietf:params:xml:ns:xmpp-tls";
export const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
/** XEP-0388. */
export const SASL_2 = "urn:xmpp:sasl:2";
/** XEP-0440. */
export const CHANNEL_BINDING = "urn:xmpp:sasl-cb:0";

/** ALPN of client connections (XEP-0368 §4). */
export const ALPN = "xmpp-client";
