"""How a cell (one runner on one graph) is measured, and the machine that it is measured on."""
