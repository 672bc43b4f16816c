"""Data to measure on: manifests, downloads, class texts, videos."""
