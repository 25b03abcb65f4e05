"""Training image classifiers, and fine-tuning."""
