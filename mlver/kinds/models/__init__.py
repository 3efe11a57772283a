"""How model files are read: as data, by our own machine, so that nothing in them can ever run."""
