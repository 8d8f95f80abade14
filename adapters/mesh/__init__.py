"""NHS MESH: a mailbox of the hub's own, what may be taken out of it, and how it is answered."""
