"""The loadable modules: one file each, or one package once it outgrows 400 lines."""
