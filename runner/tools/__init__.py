"""What the model may call: a call's arguments in, a text out, without knowledge of sessions."""
