"""What bytes mean: one file per kind, each turning bytes into a map of units."""
