"""Acquisition window: a page on the loopback that drives a recorder, and goes on when page or server are started again.

link.py    calls the recorder in its own process, and starts that again where it was killed
server.py  server of the acquisition window: its pages, and the recorder's calls as JSON
static/    the page itself, in JavaScript
"""
