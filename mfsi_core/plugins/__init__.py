"""Plugins: what other installed packages add to the core (docs/plugins.md), found as `lbj.plugins` says.

registrations.py  ``register(..., method=NAME)``
analyses.py       ``analyse(journal, NAME)``, and the sections of a report
"""
