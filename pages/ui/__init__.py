"""What the rooms share: the door to the core, words, blocks and figures."""
