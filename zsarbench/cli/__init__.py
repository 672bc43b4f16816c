"""The command line: what the verbs share, and `verbs`, a file each."""
