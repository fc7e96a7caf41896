"""The recorder: a child process that writes files and makes pictures, and alone knows PyAV."""
