"""Partner systems: worked example profiles, and the double that plays one."""
