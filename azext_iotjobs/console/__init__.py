"""The console: pages in a browser on this machine that watch and steer a hub. A door, like `cli` and `sdk`.

`server.Console` serves them. Devices and hubs say what they want: it is shown as text, never as markup.
"""
