"""What notebooks for teaching need: checks of answers, and runs that are paid for."""
