"""Paper and legacy episodes: read from files, checked, and made into what a hub imports."""
