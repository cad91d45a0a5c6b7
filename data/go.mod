module github.com/estela-dev/estela/data

go 1.26.1
