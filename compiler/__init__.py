"""The compiler: syntax tree to network to reports and code. It never imports a tensor library."""
