"""How cost grows with the number of passages: made passages, and both engines that hold them."""
