@test 'runs' { ./run.sh; }
