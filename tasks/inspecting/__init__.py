"""What `media.inspect` needs beside the task itself."""
