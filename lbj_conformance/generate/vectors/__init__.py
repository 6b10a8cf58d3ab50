"""Vectors: a function each, named by its id; a file for a kind of them.

accept_codings.py   vectors that every reader reads: the streams of the codings
accept_dense.py     vectors that every reader reads: float-lattice, noise-q and chart (clauses 8.7 to 8.9)
accept_index.py     vectors that every reader reads: index and footer, right, wrong, or in the midst of the file
accept_integers.py  vectors that every reader reads: integer streams, in blocks of lossless-int (clauses 8.5 and 8.6)
accept_records.py   vectors that every reader reads: descriptions, amendments, static data, foreign records
accept_shapes.py    vectors that every reader reads: kinds, shapes, block layouts, edges of size and count
coded_more.py       vectors of codings, more: zstd window sizes, and lossy blocks whose stated error is NaN or infinite
encode.py           descriptions of journals for writers: what they are to write, or to refuse
order.py            vectors for the order of checks: the first record, numbers that disagree, a block's fields
readings.py         vectors that pin single readings of the text, each found by inverting one check of a reader
recover.py          which frames survive and which are lost
recover_more.py     descriptions after lost bytes, static signals, headers that say what is not known
reject_blocks.py    vectors with one block that contradicts the standard: its signal is damaged in its frame
reject_dense.py     vectors with one wrong block of lossless-int, float-lattice, noise-q or chart (clauses 8.5 to 8.9)
reject_file.py      wrong ends of the file, and wrong records
reject_frames.py    wrong frames and amendments
reject_head.py      a wrong HEAD, its JSON and its signals
static_signals.py   vectors for static signals: what a pseudo-frame with a wrong record spoils (clause 5.2.3)
unsupported.py      vectors that need a newer reader: unknown versions, codings, kinds and critical records
"""
