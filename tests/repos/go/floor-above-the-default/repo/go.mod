module example.com/sum

go 1.27.1
