"""Host: sessions and the recorder for programs in any language, by JSON lines or on the loopback.

host.py               the server of `mfsi host`, a session or recorder driven by JSON lines (`messages.schema.json`)
calls.py              the recorder's methods by name, with JSON arguments, for `mfsi host`, the service and the window
messages.py           JSON lines checked field by field, and the arrays that they carry (`messages.schema.json`)
messages.schema.json  what a message may hold
service.py            a recorder in a process of its own, which goes on whatever happens to those that look at it
"""
