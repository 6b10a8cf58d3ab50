"""Extension: the module by which HyperSpy's entry point ``hyperspy.extensions`` finds this package.

HyperSpy finds a module of this name, by which Python imports the package around it and so adds the format, and reads
``hyperspy_extension.yaml`` beside it.
"""
