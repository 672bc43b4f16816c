"""Videos to frames: files, sampling, decoding in processes of their own."""

VIDEO_SUFFIXES = frozenset((".avi", ".mp4", ".mkv", ".webm", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"))
"""The suffixes of video files, in lower case."""
