"""The leaderboard: results and reported figures as one static page and one Markdown file.

`board` turns tables into `rows`, `build` renders and writes them, `check` lists what is wrong with committed files.
"""
