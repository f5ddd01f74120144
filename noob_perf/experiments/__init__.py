"""The lab's experiments: one file a question."""
