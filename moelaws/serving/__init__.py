"""What a step of serving reads and computes, and how long it takes."""
