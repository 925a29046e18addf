"""What is kept of answers, and those who look after it."""
