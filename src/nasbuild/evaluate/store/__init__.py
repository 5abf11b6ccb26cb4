"""What was evaluated, kept in a database: nothing is lost, and nothing is evaluated twice."""
