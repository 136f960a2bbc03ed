"""The deployment package under the library with which Azure runs Python functions."""
