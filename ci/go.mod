module github.com/estela-dev/estela/ci

go 1.26.0
