"""The label tables that come with the package, one TOML file a data set; see :mod:`m3dbench.data.convert.table`."""
