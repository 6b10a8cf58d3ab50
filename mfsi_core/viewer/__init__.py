"""Pages for the browser: the viewer of journals and the planner, and the loopback server that shows them.

`server`: serves a page and one journal on the loopback. `files`: the files of the pages, and the JavaScript reader.
`bundle`: a page as one file that opens without a server. `make_tables`: writes our tables for the pages.
"""
