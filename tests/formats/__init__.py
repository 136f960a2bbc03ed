"""Rows as each format of them was written, and the proof that today's version serves them."""
