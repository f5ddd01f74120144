"""How results are shown: progress and a table in the terminal, and a page; runs nothing itself."""
