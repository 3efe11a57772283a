"""The demo: a night at a clinic, played on real data with real commands."""
