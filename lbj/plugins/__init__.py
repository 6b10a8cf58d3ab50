"""Plugins: what other installed packages add through entry points (docs/plugins.md).

found.py    which there are of a group, and one of them by name
output.py   what foreign code prints goes to the standard error
"""
