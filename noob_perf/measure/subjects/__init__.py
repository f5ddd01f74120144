"""What is measured of components: one module a component, its implementations as subjects."""
