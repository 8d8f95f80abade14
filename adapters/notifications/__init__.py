"""What the child index and people outside are told; never any content."""
