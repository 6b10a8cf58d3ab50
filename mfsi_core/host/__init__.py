"""Host: sessions and the recorder for programs in any language, by JSON lines or on the loopback.

host.py               requests and their answers: `mfsi host`
calls.py              the recorder's requests
messages.py           messages checked field by field, and the data they carry
messages.schema.json  what a message may hold
service.py            a recorder in a process of its own, which goes on whatever happens to those that look at it
"""
