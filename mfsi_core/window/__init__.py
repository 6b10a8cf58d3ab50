"""Acquisition window: a page on the loopback that drives a recorder, and goes on when page or server are started again.

`server`: the page and its calls; `link`: calls of a recorder in a process of its own; ``static/``: the page.
"""
