"""Viewer: pages for the browser, the viewer of journals and the planner, and the loopback server that shows them.

bundle.py       a page as one self-contained HTML file
files.py        files of the pages, the JavaScript reader among them, by their address
make_tables.py  writes `static/tables.mjs`, the lines and edges for the pages
server.py       viewer or planner, and one journal, on the loopback under a random token
static/         the pages themselves, in JavaScript
"""
