"""The mapping engine: load, check, compile, apply, report, explain; no I/O but reading the
catalogue.
"""
