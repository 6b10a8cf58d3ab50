"""Report: what a run found, its pictures and tables, and the page that shows them.

facts.py    the key figures at the head of a report, as text
figures.py  images before and after, shifts, sum spectrum; drawn with matplotlib
page.py     writes `report.html`, `summary.json`, `registration.csv`, and the maps as PNG, npy and TIFF
parquet.py  every CSV table of a run as Parquet too
results.py  everything that a run found, in memory, before it is written
"""
