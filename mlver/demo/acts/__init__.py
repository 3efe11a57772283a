"""The story's acts, one module each, in the order they are played."""
