"""Tools without knowledge of this field; nothing here imports another folder of zsarbench."""
