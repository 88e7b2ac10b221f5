"""A young person's money: pure decisions, no input or output."""
