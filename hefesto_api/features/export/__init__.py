"""What streams out to other stores."""
