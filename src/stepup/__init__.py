"""stepup."""
