"""Several machines: engines of their own on wires of their own, and the product on them."""
