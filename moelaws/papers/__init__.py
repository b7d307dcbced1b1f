"""What belongs to one paper only."""
