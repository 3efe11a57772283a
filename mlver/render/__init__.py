"""Results in, text, JSON or Markdown out. Decides nothing."""
