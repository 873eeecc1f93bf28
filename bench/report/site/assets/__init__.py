"""What the pages load: own style and scripts, and Plotly's basic bundle as published on npm (plotly-LICENSE.txt)."""
