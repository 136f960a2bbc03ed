"""Tests of one module at a time, without I/O of their own beyond a temporary directory."""
