"""The network fence of jobs: what a job may reach, the container that holds it, and the proof that it holds."""
