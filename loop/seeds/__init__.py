"""Where tasks come from: given by the user, or asked of a registry."""
