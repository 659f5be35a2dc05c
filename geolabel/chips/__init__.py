"""Scenes and annotations in, chips out. Annotations arrive as arrays, never as a store."""
