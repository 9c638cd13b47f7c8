"""The command line: `draftsman ...`, one module per command. It alone joins bot and orchestrator."""
