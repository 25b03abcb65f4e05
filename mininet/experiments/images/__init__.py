"""Training image classifiers: accuracy of the rivals, and fine-tuning."""
