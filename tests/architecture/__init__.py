"""Is the shape still the shape?"""
