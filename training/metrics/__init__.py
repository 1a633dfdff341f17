"""How well a network does: counted on the device, on a part of the data, during training."""
