"""Plugins: what other installed packages add through entry points (docs/plugins.md).

found.py    which there are of a group, one of them by name, and how long loading it may take
output.py   what foreign code prints goes to the standard error
"""
