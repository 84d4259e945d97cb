"""One pure file per stage of the pipeline; stages never import each other, only flows join them."""
