"""Plugins: what other installed packages add through entry points (docs/plugins.md).

found.py    plugins that installed packages announce, listed, loaded and blamed by name
output.py   what plugins and libraries print is sent to standard error
"""
