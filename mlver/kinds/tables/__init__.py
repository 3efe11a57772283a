"""What the `data` kind knows of tables. Everything here may import pyarrow and numpy; `data.py` loads it on use."""
