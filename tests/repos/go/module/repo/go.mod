module example.com/sum

go 1.21

require golang.org/x/text v0.30.0
