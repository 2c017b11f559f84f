-- The XMPP server of one mobydick instance. ADDRESS, DOMAIN and HOME are filled in by prosody.ts.
pidfile = "HOME/prosody.pid"
data_path = "HOME/data"
plugin_paths = { "HOME/modules" }
daemonize = false
run_as_root = true
interfaces = { "ADDRESS" }
c2s_ports = { 5222 }
c2s_direct_tls_ports = { 5223 }
s2s_ports = {}
http_ports = {}
https_ports = {}
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "smacks" }
modules_disabled = { "s2s" }
certificates = "HOME"
ssl = { certificate = "/lab/tls/xmpp.crt", key = "/lab/tls/xmpp.key" }
c2s_direct_tls_ssl = ssl
c2s_require_encryption = false
authentication = "internal_plain"
log = { debug = "HOME/prosody.log" }
VirtualHost "DOMAIN"
