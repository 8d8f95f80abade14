"""MLLP itself: frames, the header by which a message is known, and acknowledgements, as bytes."""
