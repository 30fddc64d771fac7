"""Where weights come from before the first step."""
