"""Where memories are kept: one module per backend behind `Store`."""
