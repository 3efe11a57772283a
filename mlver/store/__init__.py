"""Content-addressed objects: chunks, packs, sessions, verification."""
