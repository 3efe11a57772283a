"""Put on the PYTHONPATH of what `mlver run` starts: a folder with a `sitecustomize` of ours."""
