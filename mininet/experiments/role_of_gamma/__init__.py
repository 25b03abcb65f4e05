"""What gamma does between the ResNet and the RevNet."""
