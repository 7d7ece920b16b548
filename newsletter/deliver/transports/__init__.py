"""The carriers of messages: one file each, all fitting `deliver.model.Transport`."""
