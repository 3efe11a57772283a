"""One HTML page of a document: its own styles, its plots as SVG, nothing fetched from anywhere."""
