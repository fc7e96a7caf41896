"""A whole shop on one machine: products, members, shoppers, a sandbox payment provider."""
