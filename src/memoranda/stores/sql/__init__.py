"""What SQL backends share: the statements of every primitive, run inside a transaction of the backend's."""
