"""Videos to frames: files, sampling, decoding in processes of their own."""
