"""Report: what a run found, its pictures and tables, and the page that shows them.

facts.py    figures of a run as a reader wants them
figures.py  figures of the report, drawn with matplotlib without a screen
page.py     pictures, tables and one self-contained page of a run
parquet.py  the tables that are written as CSV, for programs that read columns with their types
results.py  what a run found, before it is written down
"""
