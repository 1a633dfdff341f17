"""Networks that come as calls on tensors: program.py says how; compose.py makes layers of them."""
