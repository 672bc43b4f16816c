"""A reporter: a comparison table to text."""


class Lines:
    """Writes one line for each row: rank, method, and the metric that ranks."""

    def render(self, table):
        """Return the table as text; see zsarbench.interfaces.Table for its columns."""
        lines = [table.title]
        for row in table.frame.to_dict("records"):
            lines.append(f"{row['rank']} {row['method']} {row[table.rank_by]:.3f}")
        return "\n".join(lines)
