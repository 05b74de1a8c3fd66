"""TLS between nodes: both sides show a certificate, and both check the other's against `tls.ca_cert`."""

import ssl


def contexts(settings: dict) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """For the listener and for the links; `(None, None)` where `cluster.p2p.enable_tls` is off."""
    if not settings["cluster"]["p2p"].get("enable_tls"):
        return None, None
    files = settings["tls"]
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files["ca_cert"])
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=files["ca_cert"])
    for context in (server, client):
        context.load_cert_chain(files["cert"], files["key"])
    return server, client
