"""A partner's system as a process of its own: real sockets, its own checks, none of the hub's code.

It shares no parsing and no mapping with the hub on purpose: what it says it saw, it read by itself.
"""
