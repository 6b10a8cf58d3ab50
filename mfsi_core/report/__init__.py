"""Report: what a run found, its pictures and tables, and the page that shows them.

facts.py    the figures at the head of a report
figures.py  figures of the report, drawn with matplotlib without a screen
page.py     pictures, tables and one self-contained page of a run
parquet.py  the tables that are written as CSV, for programs that read columns with their types
results.py  what a run found, before it is written down
"""
