"""In which order images come: a function of the seed and the place in the stream."""
