"""What the pages load: own style and scripts, and Plotly's basic bundle (MIT, plotly-LICENSE.txt), as published on npm."""
