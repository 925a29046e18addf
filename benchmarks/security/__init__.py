"""What is promised about access, measured on running services: each module prints and judges its figures."""
