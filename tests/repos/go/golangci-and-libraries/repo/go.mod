module example.com/sum

go 1.21

require (
	github.com/davidbyttow/govips/v2 v2.16.0
)
