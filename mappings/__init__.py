"""From the canonical episode to everybody's formats, and back."""
