"""The compiler: syntax tree to network to answers. It never imports a tensor library."""
