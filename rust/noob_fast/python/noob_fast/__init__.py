from noob_fast._native import BUILD as BUILD
