"""The command line: one file per verb, each command a few lines that call the library."""
