"""Extension: what HyperSpy imports first, named by the entry point ``hyperspy.extensions``.

HyperSpy finds a module of this name, by which Python imports the package around it and so adds the format, and reads
``hyperspy_extension.yaml`` beside it.
"""
