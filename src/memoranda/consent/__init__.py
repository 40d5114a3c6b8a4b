"""What is held on people, answered for: who decided, who read, what a forget erased, and proof of each."""
