module github.com/estela-dev/estela/infra

go 1.26.1
