"""How weights change: optimizer, schedule, gradients, averages."""
