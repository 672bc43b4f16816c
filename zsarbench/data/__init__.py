"""What is measured on: manifests, downloads, class texts."""
