"""Tools that know nothing of this field; imports no other folder."""
