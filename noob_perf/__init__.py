"""The laboratory for NOOB runners: it measures them on generated tubes and reports on them."""
