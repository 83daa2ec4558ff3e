"""A lean HTTP/1.1 client for notifications: many small POSTs, of whose answers the status counts."""
