module example.com/sum

go 1.25.0
