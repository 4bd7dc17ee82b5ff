"""Slow, obvious implementations of what the package computes, written from the papers alone."""
