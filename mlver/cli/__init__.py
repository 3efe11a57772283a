"""argv in, exit code out. The only layer that knows the terminal, the environment and the working directory."""
