"""What an episode is, who may see it, where it goes next."""
