"""Laboratory assays, such as hair cortisol: values to analysed measures."""
