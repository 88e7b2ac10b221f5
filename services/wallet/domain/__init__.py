"""What a young person's money is and how it moves: pure decisions, no input or output."""
