"""Framing between the server and its shard processes: `length, request id, status | operation length, payload`.

The engine keeps Python's global lock while it works, so each shard has a process of its own: a long flush or a
large search in one shard never stops the HTTP server or another shard.
"""

import struct

HEAD = struct.Struct("<IIH")


def frame(request_id: int, tag: int, body: bytes) -> bytes:
    return HEAD.pack(len(body), request_id, tag) + body
