"""The demo: one network trained on digits with stored activations and without."""
