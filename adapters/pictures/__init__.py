"""Photos and letters that people attach: recognised by their content, photos encoded anew without their metadata."""
