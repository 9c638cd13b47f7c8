module example.com/sum

go 1.21
toolchain go1.26;RUN
